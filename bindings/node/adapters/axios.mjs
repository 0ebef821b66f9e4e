export { installAxios } from './axios.cjs';
