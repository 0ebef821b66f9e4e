export { authInterceptor } from './undici.cjs';
