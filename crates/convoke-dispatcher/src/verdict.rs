//! How a member's end is recorded and told: verdict, result `job`, and the word to its group (job-definition.md §15, §16).

use convoke_journal::{Body, ErrorClass, Health, MemberState, ResultRecord, ResultValue, Stage};

use crate::context::Context;
use crate::error::ActionError;
use crate::pipeline;
use crate::run::MemberOutcome;

/// What the others are told of a member that has done all it had to do.
pub(crate) const ENDED: &str = "its job ended";

/// What ended a member, and what to tell the others.
pub(crate) struct Ended {
    /// In words: `its boot failed`.
    what: &'static str,
    error: ActionError,
}

impl Ended {
    pub(crate) fn new(what: &'static str, error: ActionError) -> Self {
        Ended { what, error }
    }
}

/// Records the verdict and leaves the group.
pub(crate) fn conclude(ctx: Context, result: Result<(), Ended>, ended: Result<(), Ended>) -> MemberOutcome {
    let (log, client) = (ctx.log.clone(), ctx.client.clone());
    // Whatever the device started ends with it.
    drop(ctx);
    let ended = result.and(ended);
    let (failure, why) = match ended {
        Ok(()) => (None, ENDED.to_owned()),
        Err(Ended { error, .. }) if error.class == ErrorClass::Canceled => {
            let why = format!("it was cancelled: {}", error.message);
            (Some(pipeline::failure(&error)), why)
        }
        Err(Ended { what, error }) => {
            let why = format!("{what}: {}", error.message);
            (Some(pipeline::failure(&error)), why)
        }
    };
    let health = match &failure {
        None => Health::Complete,
        Some(failure) if failure.class == ErrorClass::Canceled => Health::Canceled,
        Some(_) => Health::Incomplete,
    };
    let mut extra = serde_json::Map::new();
    match &failure {
        None => log.debug("job finished correctly"),
        Some(failure) => {
            extra.insert("error_type".into(), format!("{:?}", failure.class).into());
            extra.insert("error_msg".into(), failure.message.clone().into());
        }
    }
    log.result(ResultRecord {
        definition: "lava".into(),
        case: "job".into(),
        result: if failure.is_none() { ResultValue::Pass } else { ResultValue::Fail },
        extra,
        ..ResultRecord::default()
    });
    log.state(MemberState::Finished, Stage::Finalize);
    log.record(Body::MemberEnded { health, failure: failure.clone() });
    if let Some(client) = client {
        client.leave(&why);
    }
    MemberOutcome { health, failure, failed_cases: log.failed() > 0 }
}
