//! Any bytes, to the reader of frames, JSON, requests and replies.

use convoke_coordinator::wire::{Decoded, Decoder, Json, JsonError, Reply, Request, Size, frame};
use serde_json::Value;

/// Limit of a message, small enough to be reached.
const LIMIT: usize = 2000;

/// The first byte says in pieces of which length the others arrive.
pub(crate) fn check(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let whole = decoded(bytes, usize::MAX);
    assert_eq!(whole, decoded(bytes, 1), "byte by byte");
    assert_eq!(whole, decoded(bytes, usize::from(*piece).max(1)), "in pieces of {piece}");
    for message in &whole {
        match message {
            Decoded::Message(message) => read(message),
            Decoded::More => panic!("more is wanted after the end"),
            Decoded::Broken(_) | Decoded::Unusable(_) => {}
        }
    }
    text(bytes);
}

/// All messages of a stream, in order, up to the first that is none.
fn decoded(bytes: &[u8], piece: usize) -> Vec<Decoded> {
    let mut decoder = Decoder::new(LIMIT);
    let mut out = Vec::new();
    for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.poll() {
                Decoded::More => break,
                message @ Decoded::Message(_) => out.push(message),
                last => {
                    out.push(last);
                    return out;
                }
            }
        }
    }
    if !decoder.is_empty() {
        out.push(decoder.end());
    }
    out
}

fn read(message: &Json) {
    let text = message.to_text();
    assert!(text.is_ascii(), "{text}");
    assert_eq!(Json::parse(text.as_bytes()).as_ref(), Ok(message), "{text}");
    assert_eq!(decoded(&frame(&text), 7).first(), expected(message, &text).as_ref(), "{text}");
    if let Ok(request) = Request::read(message) {
        let mut again = Request::read(&request.write()).expect("a request that was written");
        if request.size == Size::Invalid {
            again.size = Size::Invalid;
        }
        assert_eq!(again, request);
    }
    if let Ok((reply, extras)) = Reply::read(message) {
        let text = reply.to_text(true);
        let (again, _) =
            Reply::read(&Json::parse(text.as_bytes()).expect("a reply that was written")).expect("a reply");
        assert_eq!(again, reply, "{text} {extras}");
        // Whatever stands there, it is looked at without harm.
        let _ = reply.messages();
    }
}

/// Escapes make a text longer: it may be beyond the limit then.
fn expected(message: &Json, text: &str) -> Option<Decoded> {
    let is_long = text.len() > LIMIT;
    Some(if is_long { Decoded::Broken("the message is too long") } else { Decoded::Message(message.clone()) })
}

/// Compares with another reader of JSON.
fn text(bytes: &[u8]) {
    let ours = Json::parse(bytes);
    let theirs: Result<Value, _> = serde_json::from_slice(bytes);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours.to_value(), *theirs),
        (Err(error), Ok(theirs)) => panic!("{error}: {theirs}"),
        // What the other one does not take: depth, and numbers that a float cannot hold.
        (Ok(_), Err(error)) => {
            let why = error.to_string();
            assert!(why.contains("recursion limit") || why.contains("number out of range"), "{why}");
        }
        (Err(_), Err(_)) => {}
    }
    if ours == Err(JsonError::Incomplete) {
        assert!(bytes.is_empty() || Json::parse(&bytes[..bytes.len() - 1]) != Err(JsonError::Malformed));
    }
}
