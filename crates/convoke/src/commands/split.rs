//! `convoke split`: the member jobs in LAVA's form.

use std::process::ExitCode;

use uuid::Uuid;

use crate::arguments::{SplitArguments, SplitFormat};
use crate::commands::job;
use crate::failure::Failure;
use crate::output;

pub(crate) fn split(arguments: &SplitArguments) -> Result<ExitCode, Failure> {
    let loaded = job::load(&arguments.job, &convoke_lab::Lab::default(), false)?;
    loaded.print();
    let job = loaded.job.ok_or(Failure::Findings)?;
    let group = arguments.group_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let whole = job.split_value(&job.split(&group, arguments.first_id));
    let text = match arguments.format {
        SplitFormat::Json => serde_json::to_string_pretty(&whole).map_err(|error| Failure::Bug(error.to_string()))?,
        SplitFormat::Yaml => serde_saphyr::to_string(&whole).map_err(|error| Failure::Bug(error.to_string()))?,
    };
    output::print(&format!("{}\n", text.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}
