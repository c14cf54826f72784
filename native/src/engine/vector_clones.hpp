// Core: a loop over integers compiled once more for wider vectors; the processor's own is taken when the program
// starts. For integer loops only: those give the same bits whatever the width. Floating point keeps to one version
// (design, section 2). Not under sanitizers, whose runtime is not up yet when the choice is made.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)
#define TRADEWIND_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TRADEWIND_VECTOR_CLONES
#endif
