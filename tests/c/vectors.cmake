# SPDX-License-Identifier: Apache-2.0 OR MIT
# The shared cases of tests/vectors, in C. Included by CMakeLists.txt, whose add_program() and
# targets it uses.
add_program(vectors vectors.c planetkey::planetkey "${CMAKE_CURRENT_SOURCE_DIR}/../vectors")
target_sources(vectors PRIVATE vectors_calls.c vectors_support.c)
# Both runs write the report of what they executed: one after the other.
set_tests_properties(vectors valgrind.vectors PROPERTIES RESOURCE_LOCK vectors_report COST 30)
