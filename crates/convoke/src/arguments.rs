//! The command line as data.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::complete;
use crate::view::{Format, Level};

/// Runs one test across many devices: LAVA MultiNode.
#[derive(Debug, Parser)]
#[command(
    name = "convoke",
    version,
    max_term_width = 100,
    after_help = "Exit status of run and dispatch: 0 all members complete and no failing test case · 1 a test case failed or a test \
                  error ended a member · 2 the job, the lab file or the command line is wrong · 3 the lab failed · \
                  4 a bug in Convoke · 130 cancelled. check and lab check: 0 clean or warnings only, 2 errors."
)]
pub(crate) struct Arguments {
    /// When to use colours (NO_COLOR is honoured)
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a job: check it, give every member a device, run it, report
    Run(RunArguments),
    /// Run one member of a group on one device, its group at a coordinator elsewhere
    Dispatch(DispatchArguments),
    /// Report every finding of one or more jobs; touches nothing
    Check(CheckArguments),
    /// Print the flow table of a job: who calls what, who waits for whom; of a run, what happened
    Flow(FlowArguments),
    /// Print the member jobs of a group in LAVA's form
    Split(SplitArguments),
    /// Print a MultiNode job of 2014 (JSON) as a job of today (YAML)
    Convert(ConvertArguments),
    /// Render the files of a finished run again from its journal
    Report(ReportArguments),
    /// Serve groups to LAVA and Convoke dispatchers
    Coordinator(CoordinatorArguments),
    /// Look at the devices of a lab file
    #[command(subcommand)]
    Lab(LabCommand),
    /// Print a script that completes commands, options, files, roles and IDs in a shell
    #[command(after_help = "Put it where the shell finds it:
  bash  convoke completions bash > ~/.local/share/bash-completion/completions/convoke
  zsh   convoke completions zsh > FOLDER/_convoke, FOLDER one of $fpath
  fish  convoke completions fish > ~/.config/fish/completions/convoke.fish")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The job: YAML, or JSON of 2014; `-` reads standard input
    pub(crate) job: PathBuf,
    /// The devices that exist; without it sandboxes are made on demand
    #[arg(long, value_name = "FILE")]
    pub(crate) lab: Option<PathBuf>,
    /// Put a sandbox in the place of every device: try a lab's job on this machine
    #[arg(long)]
    pub(crate) rehearse: bool,
    /// Run a job although it is proved that it cannot end
    #[arg(long)]
    pub(crate) force: bool,
    /// Folder for the files of the run [default: `convoke-runs/TIME-NAME`]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// What is printed while the job runs
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub(crate) format: Format,
    /// How much of the log is printed
    #[arg(long, value_enum, default_value_t = Level::Info, value_name = "LEVEL")]
    pub(crate) log_level: Level,
    /// Print more of the log: what the devices print (-v), every detail (-vv)
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "log_level")]
    pub(crate) verbose: u8,
    /// Keep the devices when the job has ended, until Ctrl-C, and say how to enter them
    #[arg(long)]
    pub(crate) keep: bool,
    /// Stop the group whenever a wait or sync of this message ID is satisfied, before it is answered, and offer the members'
    /// devices; may be given several times; needs a terminal
    #[arg(
        long = "break",
        value_name = "ID",
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        add = ArgValueCompleter::new(complete::ids)
    )]
    pub(crate) breaks: Vec<String>,
    /// Run the members of this role only and play the others; may be given several times
    #[arg(long, value_name = "ROLE", add = ArgValueCompleter::new(complete::roles))]
    pub(crate) only: Vec<String>,
    /// Play them as in an earlier run, from its folder [default: as the members that run need it; asked for values]
    #[arg(long, value_name = "DIR", requires = "only")]
    pub(crate) replay: Option<PathBuf>,
    /// A value of a message that a played member sends; may be given several times; without KEY=VALUE the message has none
    #[arg(
        long = "answer",
        value_name = "ID:KEY=VALUE",
        value_parser = answer,
        requires = "only",
        conflicts_with = "replay",
        add = ArgValueCompleter::new(complete::answers)
    )]
    pub(crate) answers: Vec<Answer>,
    /// Job id of the first member
    #[arg(long, default_value_t = 1001, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub(crate) first_id: u64,
}

/// A value of a message: its ID, key and value; only the ID, when it has no values.
pub(crate) type Answer = (String, Option<(String, String)>);

/// An ID may have colons, a key has none.
fn answer(text: &str) -> Result<Answer, String> {
    let (id, value) = match text.split_once('=') {
        None => (text.strip_suffix(':').unwrap_or(text), None),
        Some((head, value)) => {
            let (id, key) = head.rsplit_once(':').ok_or("write ID:KEY=VALUE, or ID for a message without values")?;
            (id, Some((key.to_owned(), value.to_owned())))
        }
    };
    let bad = id.is_empty() || value.as_ref().is_some_and(|(key, _)| key.is_empty());
    if bad { Err("write ID:KEY=VALUE, or ID for a message without values".into()) } else { Ok((id.to_owned(), value)) }
}

#[derive(Debug, Args)]
pub(crate) struct DispatchArguments {
    /// The member's job: one of those that `split` prints, or LAVA's; `-` reads standard input
    #[arg(value_name = "MEMBER")]
    pub(crate) member: PathBuf,
    /// The device: one entry of a lab file's `devices`, or LAVA's device dictionary: rendered, or a template (`*.jinja2`)
    #[arg(long, value_name = "FILE")]
    pub(crate) device: PathBuf,
    /// The coordinator, LAVA's or Convoke's; without a port 3079, with --tls-ca 3080
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) coordinator: String,
    /// The token that the coordinator asks for, alone in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Speak TLS, with a coordinator whose certificate is of this CA (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The certificate of this dispatcher (PEM), followed by those that issued it
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Folder for the files of the member
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Job id of the member, its name in the group [default: the one in the member's job, else its number from 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub(crate) job_id: Option<u64>,
    /// Pause in seconds before a coordinator is asked again that does not hold requests
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) poll_delay: Duration,
    /// What is printed while the job runs
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub(crate) format: Format,
    /// How much of the log is printed
    #[arg(long, value_enum, default_value_t = Level::Info, value_name = "LEVEL")]
    pub(crate) log_level: Level,
}

/// A pause that is neither busy nor endless.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    number.map(Duration::from_secs_f64).ok_or_else(|| "give seconds from 0.01 to 3600".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The jobs; `-` reads standard input
    #[arg(required_unless_present = "explain", value_name = "JOB")]
    pub(crate) jobs: Vec<PathBuf>,
    /// Print what a finding with this code means, with a wrong and a right example; without CODE, list all codes
    #[arg(
        long,
        value_name = "CODE",
        conflicts_with = "jobs",
        num_args = 0..=1,
        add = ArgValueCompleter::new(complete::codes)
    )]
    pub(crate) explain: Option<Option<String>>,
    /// Also check that these devices can serve the group
    #[arg(long, value_name = "FILE")]
    pub(crate) lab: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
    /// Print the pipeline of each role: actions with levels and limits
    #[arg(long)]
    pub(crate) pipeline: bool,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Drawn into the source, on standard error
    Human,
    /// One object a job, on standard output
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct FlowArguments {
    /// The job, or the folder of a run; `-` reads standard input
    #[arg(value_name = "JOB")]
    pub(crate) job: PathBuf,
    /// Folder of a run of the job: print what happened
    #[arg(value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// The lab file of the job
    #[arg(long, value_name = "FILE")]
    pub(crate) lab: Option<PathBuf>,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = FlowFormat::Text)]
    pub(crate) format: FlowFormat,
}

/// How `flow` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowFormat {
    /// For a terminal
    Text,
    /// A picture
    Svg,
    /// For programs (docs/flow.md)
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Print the devices: name, type, health, tags, and what configures them
    List(LabListArguments),
    /// Report what is wrong with the devices' configurations; of one device, print the configuration too
    Check(LabCheckArguments),
}

#[derive(Debug, Args)]
pub(crate) struct LabListArguments {
    /// The lab file
    #[arg(long, value_name = "FILE", default_value = "lab.yaml")]
    pub(crate) lab: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct LabCheckArguments {
    /// Only this device, with its configuration as a job gets it
    pub(crate) device: Option<String>,
    /// The lab file
    #[arg(long, value_name = "FILE", default_value = "lab.yaml")]
    pub(crate) lab: PathBuf,
    /// An entry of a job's `context` for the templates; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = context_entry)]
    pub(crate) context: Vec<(String, serde_json::Value)>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
}

/// A number is a number, anything else a text.
fn context_entry(text: &str) -> Result<(String, serde_json::Value), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    convoke_job::context_key(key)?;
    let value = value.parse::<i64>().map_or_else(|_| value.into(), serde_json::Value::from);
    Ok((key.to_owned(), value))
}

#[derive(Debug, Args)]
pub(crate) struct SplitArguments {
    /// The job; `-` reads standard input
    pub(crate) job: PathBuf,
    /// How the member jobs are printed
    #[arg(long, value_enum, default_value_t = SplitFormat::Json)]
    pub(crate) format: SplitFormat,
    /// Name of the group (`target_group`) [default: a new UUID]
    #[arg(long, value_name = "ID", value_parser = group_id)]
    pub(crate) group_id: Option<String>,
    /// Job id of the first member
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub(crate) first_id: u64,
}

/// A group's name is one word.
fn group_id(text: &str) -> Result<String, String> {
    let word = !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if word { Ok(text.to_owned()) } else { Err("a group's name is one word without blanks".into()) }
}

/// How `split` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitFormat {
    /// JSON
    Json,
    /// YAML
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArguments {
    /// The job of 2014; `-` reads standard input
    pub(crate) job: PathBuf,
    /// Lab file whose `legacy-map` says how device types deploy and boot
    #[arg(long, value_name = "FILE")]
    pub(crate) lab: Option<PathBuf>,
    /// Make one action of equal consecutive ones that are repeated per role
    #[arg(long)]
    pub(crate) merge: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Folder of a run
    pub(crate) dir: PathBuf,
    /// Also write a trace for Perfetto (ui.perfetto.dev) to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = coordinator_keys())]
pub(crate) struct CoordinatorArguments {
    #[command(subcommand)]
    pub(crate) command: Option<CoordinatorCommand>,
    /// Configuration file, LAVA's as it is [default: /etc/lava-coordinator/lava-coordinator.conf, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Listen only here, `ADDRESS:PORT`, `ADDRESS` or `:PORT`; may be given several times [default: all addresses with a
    /// configuration file, loopback without]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<String>,
    #[command(flatten)]
    pub(crate) guard: GuardArguments,
    /// Keep what is acknowledged in this folder, so that a coordinator that was killed goes on where it was [default: in
    /// memory only]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Serve metrics for Prometheus over HTTP here, at /metrics, `ADDRESS:PORT` or `:PORT` [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<String>,
    /// Write the log to this file, and open it again when it was rotated; `-` is standard output [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub(crate) logfile: Option<PathBuf>,
    /// How much is logged
    #[arg(long, value_enum, ignore_case = true, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub(crate) loglevel: LogLevel,
}

/// The keys of the coordinator's configuration file.
fn coordinator_keys() -> String {
    let mut text = "Keys of the configuration file (JSON), with their defaults; others are ignored:".to_owned();
    for (key, says) in convoke_coordinator::KEYS {
        text.push_str(&format!("\n  {key:<28} {says}"));
    }
    text
}

/// Who is let in.
#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// Tokens, one a line, that open every group; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Refuse whoever shows no token (LAVA's dispatchers have none): one of --token-file, or without that file the one
    /// that the first member of the group chose
    #[arg(long)]
    pub(crate) require_token: bool,
    /// Listen for TLS here too, `ADDRESS:PORT`, `ADDRESS` or `:PORT`; without a port 3080; may be given several times
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_tls: Vec<String>,
    /// The certificate for TLS (PEM), followed by those that issued it; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Let in over TLS only those whose certificate is of this CA (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CoordinatorCommand {
    /// Tell what a running coordinator of this machine does: groups, members, who waits for whom
    Status(StatusArguments),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Only groups whose name contains this text
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Only groups in which somebody waits
    #[arg(long)]
    pub(crate) waiting: bool,
    /// Print a line for every group, however many there are
    #[arg(long, conflicts_with = "json")]
    pub(crate) all: bool,
    /// Print everything as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// The coordinator that listens on this port [default: the one that runs]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

/// How much the coordinator logs, in LAVA's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Every request and reply
    #[value(name = "DEBUG")]
    Debug,
    /// What happens to groups, and what is refused
    #[value(name = "INFO")]
    Info,
    /// What an administrator should look at
    #[value(name = "WARN")]
    Warn,
    /// What keeps the coordinator from working
    #[value(name = "ERROR")]
    Error,
}
