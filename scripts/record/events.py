"""Records what TensorBoard's own writer makes of a few events, for tests/io/test_event_log.cpp.

  scripts/record/events.py > tests/golden/events.hex       needs: pip install tensorboard
"""
import io

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


class Open(io.BytesIO):
    def close(self):
        pass


def value(tag, number):
    return summary_pb2.Summary.Value(tag=tag, simple_value=number)


events = [
    event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000001.5, step=13,
                    session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    event_pb2.Event(wall_time=1700000002.75, step=500, summary=summary_pb2.Summary(
        value=[value("loss", 0.1), value("perplexity", float("inf")), value("lr", 0.0)])),
]
out = Open()
writer = RecordWriter(out)
for event in events:
    writer.write(event.SerializeToString())
writer.flush()
print(f"# tensorboard {tensorboard.__version__}: a version, a start of session at step 13, three values at step 500")
for at in range(0, len(out.getvalue()), 40):
    print(out.getvalue()[at:at + 40].hex())
