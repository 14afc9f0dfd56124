// What it means to write a file that a person named: one meaning for every option and every file of a run.
#pragma once
#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

namespace seqgrad {

// Whatever the system refuses is a SystemError that names the path and what the system said.

// A regular file is there whole or not at all: a temporary file beside it is written, synced and renamed over it, then
// the directory is synced. On failure no temporary is left, and the older file stands as it was (or the newer, whole,
// when only the last sync, of the directory, failed). The mode of an older file is kept, and so is its owner where the
// system lets us; a file that may not be written is not replaced. A symbolic link stays one: what it points to is
// written, also where that does not exist yet. What is no regular file (a pipe, a device) is written straight, and so
// is a descriptor of this process (/dev/stdout, /dev/fd/3).
void write_output(const std::string& path, std::string_view bytes);
void write_output(const std::string& path, std::span<const std::string_view> pieces);

// Throws what write_output would throw that can be known before the work is done: a folder, no folder to write in, no
// permission.
void check_output(const std::string& path);

// The same for an output that an option names. InputError, too, where that is a file which this process reads
// (engine/io/inputs.h), or one that a run is read from.
void check_named_output(const std::string& path);

// A name beside `path` that nobody can guess, for what is built before it is renamed to `path`. It holds this host and
// this process.
std::string temporary_name(const std::string& path);
// The process of this host that made such a name; 0 for all other names, those of other hosts too.
pid_t temporary_owner(std::string_view name);

}  // namespace seqgrad
