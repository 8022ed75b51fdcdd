//! What goes over the wire: frames, requests and replies, in both directions. Pure: bytes in, bytes out.
//!
//! | module | is about |
//! |---|---|
//! | `json` | JSON that keeps key order and numbers as sent, written as Python writes it |
//! | `frame` | eight hexadecimal digits, then the text |
//! | `request` | what a dispatcher asks |
//! | `reply`, `roles` | what it is told |
//! | `token` | what lets it in |
//!
//! A server reads requests and writes replies; a client writes requests and reads replies. Rules:
//! coordinator-protocol.md §1–§4. What fails is one of two things: a message that cannot be read (the connection is
//! closed without a reply, which a client takes for "ask again later"), or one that is understood and cannot be used
//! (nack).

mod frame;
mod json;
mod reply;
mod request;
mod roles;
mod token;

pub use frame::{Decoded, Decoder, frame};
pub use json::{Json, JsonError};
pub use reply::{BadReply, Reply};
pub use request::{Ask, Extras, Rejection, Request, Size};
pub use roles::Roles;
pub use token::{Token, TokenDigest};
