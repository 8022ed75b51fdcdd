//! Frames and JSON, for any bytes in any pieces.

use convoke_coordinator::wire::{Decoded, Decoder, Json, Request, frame};
use proptest::prelude::*;

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i128>().prop_map(|number| Json::Number(number.to_string())),
        any::<String>().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            prop::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// What a decoder makes of bytes that come in pieces of these lengths, and of their end.
fn decode(bytes: &[u8], piece: usize) -> Decoded {
    let mut decoder = Decoder::new(1 << 20);
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        match decoder.poll() {
            Decoded::More => {}
            other => return other,
        }
    }
    decoder.end()
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in json()) {
        let text = value.to_text();
        prop_assert!(text.is_ascii());
        prop_assert_eq!(Json::parse(text.as_bytes()), Ok(value.clone()));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn an_object_is_decoded_from_any_pieces_with_any_count(value in json(), piece in 1_usize..40, wrong in -30_i64..30) {
        let value = Json::Object(vec![("k".to_owned(), value)]);
        let text = value.to_text();
        prop_assert_eq!(decode(&frame(&text), piece), Decoded::Message(value.clone()));
        let count = (text.len() as i64 + wrong).max(1);
        let odd = format!("{count:08X}{text}");
        prop_assert_eq!(decode(odd.as_bytes(), piece), Decoded::Message(value));
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..40) {
        let _ = Json::parse(&bytes);
        let _ = decode(&bytes, piece);
        let mut framed = format!("{:08X}", bytes.len()).into_bytes();
        framed.extend_from_slice(&bytes);
        if let Decoded::Message(message) = decode(&framed, piece) {
            let _ = Request::read(&message);
        }
    }

    #[test]
    fn every_beginning_of_a_value_is_incomplete(value in json(), cut in any::<prop::sample::Index>()) {
        let text = Json::List(vec![value]).to_text();
        let cut = cut.index(text.len());
        prop_assert_eq!(Json::parse(&text.as_bytes()[..cut]), Err(convoke_coordinator::wire::JsonError::Incomplete));
    }
}
