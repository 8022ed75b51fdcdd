//! What stands for `{NAME}` in the steps of an interactive script.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::context::Context;

/// Names and their values.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// What is known before anything runs.
    pub(crate) fn of(ctx: &Context) -> Self {
        let address = &ctx.info.dispatcher_ip;
        let known = [
            ("SERVER_IP", address.clone()),
            ("LAVA_DISPATCHER_IP", address.clone()),
            ("LAVA_JOB_ID", ctx.job.job_id.to_string()),
        ];
        Variables(known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Data that came with a wait, those who count first in front.
    pub(crate) fn received(&mut self, data: &[&Value]) {
        for message in data.iter().rev().filter_map(|data| data.as_object()) {
            for (key, value) in message {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.0.insert(key.clone(), text);
            }
        }
    }

    /// What named groups of a message have matched.
    pub(crate) fn learn(&mut self, groups: Vec<(String, String)>) {
        self.0.extend(groups);
    }

    /// The text with the values in it, and the names that nothing is known of. `${NAME}` is the device's own and stays.
    pub(crate) fn fill(&self, text: &str) -> (String, Vec<String>) {
        let (mut filled, mut unknown) = (String::with_capacity(text.len()), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, later)) if !before.ends_with('$') => {
                    match self.0.get(name) {
                        Some(value) => filled.push_str(value),
                        None => {
                            unknown.push(name.to_owned());
                            filled.push_str(&format!("{{{name}}}"));
                        }
                    }
                    rest = later;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        (filled, unknown)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::Variables;
    use serde_json::json;

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_stays() {
        let mut variables = Variables::default();
        variables.received(&[&json!({"ip": "10.0.0.1"}), &json!({"ip": "10.0.0.2", "port": 80, "a-b": "c d"})]);
        let check = |text: &str, filled: &str, unknown: &[&str]| {
            assert_eq!(variables.fill(text), (filled.to_owned(), unknown.iter().map(ToString::to_string).collect()));
        };
        check("ping {ip}:{port} {a-b}", "ping 10.0.0.1:80 c d", &[]);
        check("echo ${ip} {nobody} { x; } {} {", "echo ${ip} {nobody} { x; } {} {", &["nobody"]);
        check("{{ip}}", "{10.0.0.1}", &[]);
    }
}
