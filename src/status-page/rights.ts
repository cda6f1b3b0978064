import { ProblemError } from '../errors/problems.ts';
import { type Asked, authorize } from '../http/security/authorize.ts';

/** The parts of the page that a request may see: each as the operation with the same figures. */
export interface Rights {
  readonly pool: boolean;
  readonly devices: boolean;
  readonly traffic: boolean;
}

type Asking = Pick<Asked, 'gateway' | 'grant'>;

export const rightsOf = (asking: Asking): Rights => ({
  pool: permits(asking, '/v1/cluster/capacity'),
  devices: permits(asking, '/v1/clients'),
  traffic: permits(asking, '/metrics'),
});

function permits({ gateway, grant }: Asking, route: Asked['route']): boolean {
  try {
    authorize({ gateway, grant, route, method: 'GET', key: '' });
    return true;
  } catch (error) {
    if (error instanceof ProblemError) return false;
    throw error;
  }
}
