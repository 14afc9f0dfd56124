// Directories that are there whole or not at all, and links to them.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

// What the system refuses is a SystemError that names the path and what the system said.

void make_directories(const std::string& path);
std::vector<std::string> list_directory(
    const std::string& path);  // names, sorted; none when there is no such directory

// Where a directory is built before publish_directory; made anew, empty.
std::string temporary_directory(const std::string& path);

// Syncs a directory that was built under a temporary name and gives it the name `path`; what stood there goes. The two
// are exchanged in one step, so that a process that is killed at any instant leaves one of them there, whole. Where a
// file system cannot do that, for a moment neither has the name: restore_replaced gives the older one its name back. On
// failure the older one has it (or the newer, when only what follows the exchange failed).
void publish_directory(const std::string& temporary, const std::string& path);

// Undoes in `directory` what a process that was killed left half done in publish_directory.
void restore_replaced(const std::string& directory);

// Removes a directory by renaming it first, so that under its name it is never seen in part.
void remove_directory(const std::string& path);

// Removes from `directory` what processes of this host that are no longer there left under temporary names.
void remove_leftovers(const std::string& directory);

// Makes `link` point to `target` (relative to the link), replacing an older link in one rename.
void atomic_symlink(const std::string& target, const std::string& link);

// Exchanges two names in one step; -1 and errno when it cannot. Tests put others in its place.
extern int (*exchange_names)(const char* one, const char* other);

}  // namespace seqgrad
