//! The line typed to a helper that waits (device-side.md §4.2).

use convoke_group::Answer;
use convoke_overlay::signal::DeviceRequest;

use crate::calls::pairs;

/// The reply to a request, without its LF; none for a send.
pub(crate) fn line(request: &DeviceRequest, answer: &Answer) -> Option<String> {
    let name = match request {
        DeviceRequest::Send { .. } => return None,
        DeviceRequest::Wait { .. } => "LAVA_WAIT_COMPLETE",
        DeviceRequest::WaitAll { .. } => "LAVA_WAIT_ALL_COMPLETE",
        DeviceRequest::Sync { .. } => "LAVA_SYNC_COMPLETE",
    };
    let mut line = format!("<{name}");
    match answer {
        Answer::Refused { .. } => line.push_str(" nack"),
        Answer::Done { messages } => {
            for (sender, data) in messages {
                for (key, value) in pairs(data) {
                    line.push_str(&format!(" {sender}:{key}={value}"));
                }
            }
        }
    }
    line.push('>');
    Some(line)
}
