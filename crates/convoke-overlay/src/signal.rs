//! The signals a device prints and the replies typed to it (device-side.md §4).

use crate::link::Frame;

/// One result value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// pass
    Pass,
    /// fail
    Fail,
    /// skip
    Skip,
    /// unknown
    Unknown,
}

/// One thing the scanner found.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// `<LAVA_TEST_RUNNER EXIT>`
    RunnerExit,
    /// `<LAVA_TEST_RUNNER INSTALL_FAIL>`
    InstallFail,
    /// STARTRUN suite uuid
    StartRun {
        /// `<index>_<name>`
        suite: String,
        /// `<job id>_<level>`
        uuid: String,
    },
    /// ENDRUN suite uuid
    EndRun {
        /// `<index>_<name>`
        suite: String,
        /// `<job id>_<level>`
        uuid: String,
    },
    /// Our runner's word about a suite's script (§5.4 rule).
    SuiteExited {
        /// `<index>_<name>`
        suite: String,
        /// Exit status of its script.
        status: i32,
    },
    /// Our install script's word that the packages of a suite could not be installed (§5.3 rule, D18): result
    /// `lava.<suite>-install` = fail, and a warning. Whether the suite runs is told by what follows.
    DependenciesFailed {
        /// `<index>_<name>`
        suite: String,
        /// Exit status of lava-install-packages.
        status: i32,
    },
    /// STARTTC
    StartTestCase(String),
    /// ENDTC
    EndTestCase(String),
    /// TESTCASE
    TestCase {
        /// Case.
        case: String,
        /// Value.
        result: Verdict,
        /// Measurement as written, a checked number.
        measurement: Option<String>,
        /// Units.
        units: Option<String>,
    },
    /// TESTSET START
    TestSetStart(String),
    /// TESTSET STOP
    TestSetStop,
    /// TESTREFERENCE
    TestReference {
        /// Case.
        case: String,
        /// Value.
        result: Verdict,
        /// URL.
        url: String,
    },
    /// TESTRAISE
    TestRaise(String),
    /// TESTFEEDBACK
    TestFeedback(String),
    /// TESTEVENT
    TestEvent(String),
    /// RETRUNCODE of checked typing (§2)
    ReturnCode(i32),
    /// A MultiNode request.
    Request(DeviceRequest),
    /// The helper that made this request was ended before its reply came: nothing may be typed for it any more, for
    /// the next helper that waits would take it for its own.
    GaveUp {
        /// Which reply it waited for.
        kind: RequestKind,
        /// ID.
        message_id: String,
    },
    /// A frame of the checked link (§8.4).
    Frame(Frame),
    /// A damaged frame, with what its readable fields seem to say.
    DamagedFrame(Frame),
    /// Results of this suite were lost on the console for good; it follows before the suite's end.
    Lost {
        /// `<index>_<name>`
        suite: String,
        /// Their numbers, as far as known.
        numbers: Vec<u32>,
    },
    /// A result found by the definition's `parse.pattern`.
    Pattern {
        /// Case.
        case: String,
        /// Value.
        result: Verdict,
        /// Measurement.
        measurement: Option<String>,
        /// Units.
        units: Option<String>,
    },
    /// The next signal is obeyed, but its text was odd: the text and why. To be logged as a warning.
    Warning {
        /// The text.
        text: String,
        /// Why.
        why: String,
    },
    /// Something that looks like a signal but is not obeyed: the text and why. To be logged as a warning.
    Ignored {
        /// The text.
        text: String,
        /// Why.
        why: String,
    },
}

/// A request that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// LAVA_WAIT
    Wait,
    /// LAVA_WAIT_ALL
    WaitAll,
    /// LAVA_SYNC
    Sync,
}

impl RequestKind {
    /// The word of the signals and replies: `WAIT`, `WAIT_ALL`, `SYNC`.
    pub fn word(self) -> &'static str {
        match self {
            RequestKind::Wait => "WAIT",
            RequestKind::WaitAll => "WAIT_ALL",
            RequestKind::Sync => "SYNC",
        }
    }

    pub(crate) fn from_signal(word: &str) -> Option<Self> {
        [RequestKind::Wait, RequestKind::WaitAll, RequestKind::Sync].into_iter().find(|kind| kind.word() == word)
    }
}

/// A MultiNode request as the device made it.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceRequest {
    /// LAVA_SEND
    Send {
        /// ID.
        message_id: String,
        /// Key and value in order.
        data: Vec<(String, String)>,
    },
    /// LAVA_WAIT
    Wait {
        /// ID.
        message_id: String,
        /// The device's word that nothing else of its test shell is alive.
        quiet: bool,
    },
    /// LAVA_WAIT_ALL
    WaitAll {
        /// ID.
        message_id: String,
        /// Role.
        role: Option<String>,
        /// As in `Wait`.
        quiet: bool,
    },
    /// LAVA_SYNC
    Sync {
        /// ID.
        message_id: String,
        /// As in `Wait`.
        quiet: bool,
    },
}

impl DeviceRequest {
    /// The message ID.
    pub fn message_id(&self) -> &str {
        match self {
            DeviceRequest::Send { message_id, .. }
            | DeviceRequest::Wait { message_id, .. }
            | DeviceRequest::WaitAll { message_id, .. }
            | DeviceRequest::Sync { message_id, .. } => message_id,
        }
    }

    /// Which reply it waits for; a send has none.
    pub fn kind(&self) -> Option<RequestKind> {
        match self {
            DeviceRequest::Send { .. } => None,
            DeviceRequest::Wait { .. } => Some(RequestKind::Wait),
            DeviceRequest::WaitAll { .. } => Some(RequestKind::WaitAll),
            DeviceRequest::Sync { .. } => Some(RequestKind::Sync),
        }
    }

    /// Whether the device is certain that nothing else of its test shell is alive.
    pub(crate) fn quiet(&self) -> bool {
        match self {
            DeviceRequest::Send { .. } => false,
            DeviceRequest::Wait { quiet, .. }
            | DeviceRequest::WaitAll { quiet, .. }
            | DeviceRequest::Sync { quiet, .. } => *quiet,
        }
    }

    pub(crate) fn set_quiet(&mut self) {
        match self {
            DeviceRequest::Send { .. } => {}
            DeviceRequest::Wait { quiet, .. }
            | DeviceRequest::WaitAll { quiet, .. }
            | DeviceRequest::Sync { quiet, .. } => *quiet = true,
        }
    }
}
