/* SPDX-License-Identifier: MIT */
/* For spatch, which reads no headers: macros that it cannot read sources without. `lfset lint --macros FILE`
   adds others. */
#define _Atomic(type) type
#define _Alignas(x)
/* Criterion, Check */
#define Test(suite, name, ...) void test(void)
#define ParameterizedTest(parameter, suite, name, ...) void test(parameter)
#define TheoryTest(parameters, suite, name, ...) void test parameters
#define START_TEST(name) void name(void)
#define END_TEST
