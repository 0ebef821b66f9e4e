/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The random numbers of Windows 10, which Rust's std uses, for versions of Wine that do not have
 * this DLL. */
#include <windows.h>

#include <bcrypt.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PUCHAR bytes, SIZE_T length);

BOOL WINAPI ProcessPrng(PUCHAR bytes, SIZE_T length) {
    return BCryptGenRandom(NULL, bytes, (ULONG)length, BCRYPT_USE_SYSTEM_PREFERRED_RNG) >= 0;
}
