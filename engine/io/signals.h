// SIGINT and SIGTERM as a flag that loops look at.
#pragma once

namespace seqgrad {

// For the main thread; the pool's workers take no signals. From now on the first SIGINT or SIGTERM only sets the flag;
// a second one leaves at once with 128 + its number.
void catch_stop_signals();
void release_stop_signals();  // from now on a signal ends the process as it usually does
int stop_signal();            // the number of the signal that asked to stop, or 0

}  // namespace seqgrad
