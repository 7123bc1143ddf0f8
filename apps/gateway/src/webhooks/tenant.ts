import { demand } from '#http';

/** Of whom a request may see and change webhooks. */
export const tenantOf = (request: { raw: object }): string => demand(request, 'webhooks:write').tenantId;
