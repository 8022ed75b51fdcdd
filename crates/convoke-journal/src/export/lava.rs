//! `results.yaml` of one member: the list LAVA's server exports for a job (server-api.md, struct C).
//!
//! Every value but `metadata` is text, an absent measurement is the text `None`, and a measurement has ten decimal places.
//! The ids are the results' numbers in the member, from 1, since there is no database here.

use serde_json::{Map, Value};

use super::yaml;
use crate::model::{Member, result_map};

/// The list.
pub(crate) fn results(member: &Member) -> String {
    let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let cases = member.results.iter().enumerate().map(|(index, case)| {
        let record = &case.record;
        let id = index + 1;
        let measurement = record.measurement.as_deref().and_then(|text| text.parse::<f64>().ok());
        let mut metadata = result_map(record, None, None);
        metadata.remove("measurement");
        metadata.remove("units");
        let entries: [(&str, Value); 13] = [
            ("name", record.case.clone().into()),
            ("job", member.info.job_id.to_string().into()),
            ("suite", record.definition.clone().into()),
            ("result", record.result.as_str().into()),
            ("measurement", measurement.map_or("None".into(), |value| format!("{value:.10}").into())),
            ("unit", record.units.clone().unwrap_or_default().into()),
            ("level", record.level.clone().unwrap_or_default().into()),
            ("url", format!("/results/testcase/{id}").into()),
            ("id", id.to_string().into()),
            ("logged", case.at.strftime("%Y-%m-%d %H:%M:%S.%6f+00:00").to_string().into()),
            ("log_start_line", text(case.starttc).into()),
            ("log_end_line", text(case.endtc).into()),
            ("metadata", metadata.into()),
        ];
        Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
    });
    yaml::document(&cases.collect())
}
