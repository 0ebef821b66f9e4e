/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The header needs no other header before it, and may be included twice and in several translation
 * units. */
#include "planetkey.hpp"

#include "planetkey.hpp"

bool header_alone();
bool header_alone() { return planetkey::Session::from_defaults().is_initialized(); }
