// Catch2 under one include, whichever major version is installed.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

// Whether this build has the address sanitizer, as either compiler says it.
#if defined(__SANITIZE_ADDRESS__)
#define SEQGRAD_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEQGRAD_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef SEQGRAD_ADDRESS_SANITIZER
#define SEQGRAD_ADDRESS_SANITIZER 0
#endif
