//! `{NAME}` in texts of a job: found, and in the addresses of downloads filled from the device's `static_info`
//! (job-definition.md §7).

use serde_json::{Map, Value};

use crate::dictionary::Dictionary;
use crate::fault::Fault;

/// `{name}` in a text: where, and the name.
pub(crate) fn find(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('{') {
        if let Some(length) = text[at + 1..].find('}') {
            let name = &text[at + 1..at + 1 + length];
            if !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "-_.".contains(letter)) {
                found.push((at, name));
            }
        }
    }
    found
}

/// A text with each `{name}` that `value` knows replaced.
///
/// # Errors
/// The first name that it does not know.
pub(crate) fn replaced(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
    let mut out = String::new();
    let mut rest = 0;
    for (at, name) in find(text) {
        out.push_str(&text[rest..at]);
        out.push_str(&value(name).ok_or(name)?);
        rest = at + name.len() + 2;
    }
    out.push_str(&text[rest..]);
    Ok(out)
}

/// What a job says of a download, with the placeholders in its `url`, and in those of its `overlays`, filled from what is
/// written of the device.
///
/// # Errors
/// A placeholder of which the device has nothing.
pub fn fill(resource: &Map<String, Value>, device: &Dictionary) -> Result<Map<String, Value>, Fault> {
    let mut filled = resource.clone();
    for overlay in filled.get_mut("overlays").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Some(map) = overlay.1.as_object_mut() {
            fill_url(map, device)?;
        }
    }
    fill_url(&mut filled, device)?;
    Ok(filled)
}

fn fill_url(map: &mut Map<String, Value>, device: &Dictionary) -> Result<(), Fault> {
    let Some(Value::String(url)) = map.get_mut("url") else { return Ok(()) };
    let known = device.static_info();
    let value = |name: &str| known.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let filled = replaced(url, value).map_err(|name| {
        let message = format!("the address {url} has {{{name}}}, and the device has no static_info of that name");
        let names: Vec<&str> = known.iter().map(|(key, _)| key.as_str()).collect();
        let help = match names.is_empty() {
            true => format!("add `static_info: [{{{name}: …}}]` to the device's dictionary"),
            false => format!("its static_info has {}", names.join(", ")),
        };
        Fault { message, help }
    })?;
    *url = filled;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device(info: Value) -> Dictionary {
        Dictionary { information: vec![("LAVA_STATIC_INFO", info)], ..Dictionary::default() }
    }

    #[track_caller]
    fn check(info: Value, url: &str, expected: &str) {
        let resource = json!({"url": url, "overlays": {"lava": true, "more": {"url": url}}});
        let filled = fill(resource.as_object().unwrap(), &device(info)).unwrap_or_else(|fault| {
            json!({"url": format!("{}: {}", fault.message, fault.help)}).as_object().unwrap().clone()
        });
        assert_eq!(filled["url"], expected);
        if let Some(overlays) = filled.get("overlays") {
            assert_eq!(overlays["more"]["url"], expected);
        }
    }

    #[test]
    fn addresses_are_filled_from_the_static_info() {
        let list = json!([{"board": "b1", "port": 80}, {"board": "b2", "more": "x"}]);
        check(list.clone(), "http://h:{port}/{board}/{more}", "http://h:80/b1/x");
        check(json!({"board": "b1"}), "http://h/{board}{board}", "http://h/b1b1");
        check(list.clone(), "http://h/${x y}{}", "http://h/${x y}{}");
        check(
            list,
            "http://h/{serial}",
            "the address http://h/{serial} has {serial}, and the device has no static_info of that name: its static_info has board, port, more",
        );
        check(
            Value::Null,
            "{base}/k",
            "the address {base}/k has {base}, and the device has no static_info of that name: add `static_info: [{base: …}]` to the device's dictionary",
        );
    }
}
