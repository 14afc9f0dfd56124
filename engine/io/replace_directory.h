// Giving a directory the name of an older one, which goes.
#pragma once
#include <string>

namespace seqgrad {

// Gives `newer`, which is synced, the name `path` of a directory and removes what stood there; false when nothing did.
// The two are exchanged in one step, so that a process that is killed at any instant leaves one of them there, whole.
// Where a file system cannot do that, for a moment neither has the name: restore_replaced gives the older one its name
// back. On failure the older one has it (or the newer, when only what follows the exchange failed).
bool replace_directory(const std::string& newer, const std::string& path);

// Undoes in `directory` what a process that was killed left half done in replace_directory.
void restore_replaced(const std::string& directory);

// Exchanges two names in one step; -1 and errno when it cannot. Tests put others in its place.
extern int (*exchange_names)(const char* one, const char* other);

}  // namespace seqgrad
