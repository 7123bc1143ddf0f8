import ipaddr from 'ipaddr.js';

type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** All that is assigned for global use so far; outside of it lie, for one, IPv4 addresses in disguise. */
const GLOBAL_V6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** Public by its number, and the host of every machine in Azure. */
const AZURE_HOST = '168.63.129.16';

/**
 * Which addresses a message may go to. Whoever may name a URL would otherwise have us call our own
 * network for them: databases, other pods, a cloud's metadata.
 */
export class AddressGuard {
  private readonly all: boolean;
  private readonly networks: Network[];

  /** `allow`: WEBHOOK_ALLOW_PRIVATE. */
  constructor(allow: string) {
    this.all = allow === 'true';
    this.networks =
      allow === 'true' || allow === 'false'
        ? []
        : allow.split(',').map((network) => ipaddr.parseCIDR(network.trim()));
  }

  allows(text: string): boolean {
    if (this.all) return true;
    if (!ipaddr.isValid(text)) return false;
    // An IPv4 address within an IPv6 one is that IPv4 address.
    const address = ipaddr.process(text);
    if (this.networks.some((network) => isWithin(address, network))) return true;
    if (address.range() !== 'unicast' || address.toString() === AZURE_HOST) return false;
    return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(GLOBAL_V6);
  }
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network): boolean {
  if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits);
  return network instanceof ipaddr.IPv6 && address.match(network, bits);
}
