//! The line that answers a waiting helper.

use convoke_overlay::reply::{nack, reply};
use convoke_overlay::signal::RequestKind;
use serde_json::{Value, json};

fn made(data: Value) -> Result<String, String> {
    reply(RequestKind::Wait, &[("9101".into(), data)], &["9101", "9102"]).map_err(|error| error.to_string())
}

#[test]
fn pairs_come_by_sender_and_key_in_order() {
    let messages = [("9102".into(), json!({"z": "1", "a": "x y"})), ("9101".into(), json!({"ip": "10.0.0.1", "n": 3}))];
    assert_eq!(
        reply(RequestKind::WaitAll, &messages, &["9101", "9102"]).unwrap(),
        "<LAVA_WAIT_ALL_COMPLETE 9102:z=1 9102:a=x y 9101:ip=10.0.0.1 9101:n=3>\n"
    );
    assert_eq!(made(json!({})).unwrap(), "<LAVA_WAIT_COMPLETE>\n");
    assert_eq!(reply(RequestKind::Sync, &[], &["9101"]).unwrap(), "<LAVA_SYNC_COMPLETE>\n");
    assert_eq!(
        made(json!({"t": "at 12:30", "free-space": ""})).unwrap(),
        "<LAVA_WAIT_COMPLETE 9101:t=at 12:30 9101:free-space=>\n"
    );
}

#[test]
fn what_the_line_cannot_carry_is_refused() {
    for data in [
        json!({"k": "p>q"}),
        json!({"k": "two\nlines"}),
        json!({"k": "tab\there"}),
        json!({"bad key": "x"}),
        json!({"": "x"}),
        json!({"k": "x 9102:y=z"}),
        json!("text"),
    ] {
        let error = made(data.clone()).unwrap_err();
        assert!(error.starts_with("the message of 9101 cannot be handed to the device: "), "{data}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // Not where a helper cuts.
    for value in ["x 9103:y=z", "9102:y=z", "x 9102:y", "x 9102: y=z"] {
        assert_eq!(made(json!({"k": value})).unwrap(), format!("<LAVA_WAIT_COMPLETE 9101:k={value}>\n"));
    }
}

#[test]
fn a_refusal_is_one_line_whatever_its_reason() {
    assert_eq!(nack(RequestKind::Sync, None), "<LAVA_SYNC_COMPLETE nack>\n");
    assert_eq!(nack(RequestKind::Wait, Some("gone:\n<dut>")), "<LAVA_WAIT_COMPLETE nack gone: _dut_>\n");
}
