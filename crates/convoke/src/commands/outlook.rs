//! The flow of a job as commands use it: read with the repositories at hand, judged, told.

use convoke_flow::table::Table;
use convoke_flow::{Flow, Judgement, Verdict, judge, lint, times};
use convoke_job::Job;
use convoke_journal::Body;
use serde_json::{Value, json};

use crate::commands::job::Loaded;
use crate::failure::Failure;

/// Reasons that people are shown.
const SHOWN: usize = 5;

/// The flow of a job that has no errors.
pub(crate) fn flow(loaded: &Loaded) -> Result<Option<Flow>, Failure> {
    let Some(job) = &loaded.job else { return Ok(None) };
    let definitions = convoke_run::on_this_machine(job);
    let repositories = if definitions.is_empty() {
        convoke_flow::Repositories::new()
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Lab(format!("the machine gives no threads: {error}")))?;
        runtime.block_on(convoke_run::read_repositories(&definitions))
    };
    Ok(Some(convoke_flow::read(job, &loaded.source, &repositories)))
}

/// What is said of a flow.
pub(crate) struct Outlook<'a> {
    flow: &'a Flow,
    judgement: Judgement<'a>,
}

impl<'a> Outlook<'a> {
    pub(crate) fn of(flow: &'a Flow) -> Self {
        Outlook { flow, judgement: judge(flow) }
    }

    /// Whether it can end, and why not.
    pub(crate) fn judgement(&self) -> &Judgement<'a> {
        &self.judgement
    }

    /// Whether nothing that the job does can bring it to its end.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.judgement.verdict == Verdict::CannotEnd
    }

    /// What is wrong, and what is likely to go wrong, as findings about the job.
    pub(crate) fn findings(&self) -> Vec<convoke_job::Diagnostic> {
        let mut findings = self.judgement.diagnostics(self.flow);
        findings.extend(lint(self.flow, &self.judgement));
        findings.extend(times::too_short(self.flow, &self.judgement.played));
        findings
    }

    /// The flow table.
    pub(crate) fn table(&self, job: &Job) -> Table {
        Table::judged(&job.name, self.flow, &self.judgement)
    }

    /// The flow table for the journal of a run; nothing where nobody calls.
    pub(crate) fn record(&self, job: &Job) -> Option<Body> {
        let calls = !self.judgement.played.calls.is_empty();
        let flow = calls.then(|| serde_json::to_value(self.table(job)).ok()).flatten()?;
        Some(Body::Planned { flow })
    }

    /// `{"verdict", "reasons": [{"code", "message"}]}`.
    pub(crate) fn to_json(&self) -> Value {
        let reasons = self.judgement.reasons.iter();
        let reasons: Vec<Value> =
            reasons.map(|reason| json!({"code": reason.code(), "message": reason.message(self.flow)})).collect();
        json!({"verdict": self.judgement.verdict.as_str(), "reasons": reasons})
    }

    /// The verdict for people; nothing where nobody calls. What keeps it from being proved follows in lines of its own;
    /// what is wrong is a finding.
    pub(crate) fn in_words(&self) -> Option<String> {
        let verdict = match self.judgement.verdict {
            Verdict::CanEnd if self.judgement.played.calls.is_empty() => return None,
            Verdict::CanEnd => "the job can end",
            Verdict::CannotEnd => "the job cannot end",
            Verdict::Unknown => "it is not known whether the job can end:",
        };
        let mut words = verdict.to_owned();
        if self.judgement.verdict == Verdict::Unknown {
            let reasons = &self.judgement.reasons;
            for reason in reasons.iter().take(SHOWN) {
                words.push_str(&format!("\n  {}", reason.message(self.flow)));
            }
            if let Some(more) = reasons.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let reasons = if more == 1 { "reason" } else { "reasons" };
                words.push_str(&format!("\n  and for {more} more {reasons} (--format json tells all)"));
            }
        }
        Some(words)
    }
}

/// What is said of a job whose flow is not known, because it has errors.
pub(crate) fn none() -> Value {
    json!({"verdict": "unknown", "reasons": []})
}
