//! Jobs made by hand, devices that are scripted, and what a run has recorded.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke_coordinator::GroupClient;
use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceEvent, DeviceFuture, DeviceInfo, DeviceLog, Refusal,
};
use convoke_dispatcher::error::ActionError;
use convoke_dispatcher::{DispatchOptions, MemberOutcome, MemberRun, run_member};
use convoke_job::member::{
    Block, BlockKind, Common, Definition, DefinitionFrom, GroupMember, Membership, Place, TestKind, Timeouts,
};
use convoke_job::{DeviceType, JobId, MemberJob, Node, RoleName, SubId};
use convoke_journal::{Body, Recorder, ResultRecord};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A single-device job with these blocks.
pub fn job(blocks: Vec<Block>) -> MemberJob {
    MemberJob {
        job_id: JobId(101),
        job_name: "test".into(),
        sub_id: SubId(0),
        definition: Value::Null,
        place: Place::Device { device_type: DeviceType::new("sandbox"), device: None, worker: None, tags: Vec::new() },
        context: Map::new(),
        environment: Vec::new(),
        secrets: Vec::new(),
        timeouts: Timeouts {
            job: Some(Duration::from_secs(600)),
            action: Some(Duration::from_secs(120)),
            connection: Some(Duration::from_secs(20)),
            ..Timeouts::default()
        },
        group: None,
        blocks,
    }
}

/// Makes `job` the member `sub_id` of a group with these roles.
pub fn member(mut job: MemberJob, sub_id: u32, roles: &[&str]) -> MemberJob {
    let members: Vec<GroupMember> = (0u32..)
        .zip(roles)
        .map(|(number, role)| GroupMember {
            name: (101 + number).to_string(),
            role: RoleName::new(*role),
            sub_id: SubId(number),
            guest: false,
            device: None,
        })
        .collect();
    job.job_id = JobId(101 + u64::from(sub_id));
    job.sub_id = SubId(sub_id);
    job.group = Some(Membership {
        role: RoleName::new(roles[sub_id as usize]),
        target_group: "group".into(),
        size: u32::try_from(roles.len()).unwrap(),
        members,
        timeout: None,
        essential: false,
        expect_role: None,
        delayed_start: false,
        member_names: Default::default(),
        on_sync_timeout: Default::default(),
    });
    job
}

/// A block without common keys.
pub fn block(kind: BlockKind) -> Block {
    Block { common: Common::default(), kind, parameters: Map::new() }
}

pub fn deploy(to: &str) -> Block {
    block(BlockKind::Deploy { to: to.into(), os: None })
}

pub fn boot(method: &str) -> Block {
    block(BlockKind::Boot { method: method.into(), prompts: Vec::new(), auto_login: None, host_address: None })
}

/// A test block with inline definitions: name and steps.
pub fn test(definitions: &[(&str, &[&str])]) -> Block {
    let definitions = definitions.iter().map(|(name, steps)| definition(name, json!({"steps": steps}), json!({})));
    block(BlockKind::Test(TestKind::Definitions(definitions.collect())))
}

/// An inline definition with further keys.
pub fn definition(name: &str, run: Value, more: Value) -> Definition {
    let mut document = json!({
        "metadata": {"format": "Lava-Test Test Definition 1.0", "name": name},
        "run": run,
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Definition {
        name: name.into(),
        from: DefinitionFrom::Inline(document),
        path: format!("inline/{name}.yaml"),
        parameters: Vec::new(),
        skip_install: Vec::new(),
        kmsg: false,
        expected: None,
    }
}

/// Blocks as a job has them.
#[track_caller]
pub fn blocks(actions: Value) -> Vec<Block> {
    let group = json!({"target_group": "group", "role": "one", "group_size": 2, "sub_id": 0});
    let definition = json!({
        "job_name": "test", "device_type": "sandbox", "timeouts": {"job": {"minutes": 10}}, "visibility": "public",
        "protocols": {"lava-multinode": group}, "actions": actions,
    });
    let (member, findings) = MemberJob::from_definition(&Node::from_value(&definition), JobId(101));
    let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    member.unwrap().blocks
}

/// Deploy, boot and one test block on a sandbox.
pub fn sandbox(definitions: &[(&str, &[&str])]) -> MemberJob {
    job(vec![deploy("sandbox"), boot("sandbox"), test(definitions)])
}

pub fn info() -> DeviceInfo {
    DeviceInfo {
        name: "device-1".into(),
        device_type: "sandbox".into(),
        results_dir: "/lava-%s".into(),
        shell: "/bin/sh".into(),
        environment: Vec::new(),
        prompts: vec!["device# ".into()],
        dispatcher_ip: "127.0.0.1".into(),
        os: None,
        tags: Vec::new(),
        files: Vec::new(),
        configuration: Arc::default(),
        action_timeouts: Vec::new(),
        connection_timeouts: Vec::new(),
    }
}

type Play = Box<dyn FnMut(Player) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A device whose console is played by the test.
pub struct Scripted {
    pub info: DeviceInfo,
    pub kernel: bool,
    /// Whether it tells things beside its console.
    pub tells: bool,
    pub calls: Arc<Mutex<Vec<&'static str>>>,
    play: Play,
    /// Plays its further connections.
    further: Option<Play>,
    /// Commands of the lab that were run, and which of them fail.
    pub commands: Arc<Mutex<Vec<String>>>,
    pub failing: &'static str,
}

impl Scripted {
    /// `play` is called at every boot.
    pub fn new<F>(mut play: impl FnMut(Player) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Scripted {
            info: info(),
            kernel: false,
            tells: false,
            calls: Arc::default(),
            play: Box::new(move |player| Box::pin(play(player))),
            further: None,
            commands: Arc::default(),
            failing: "nothing",
        }
    }

    /// `play` is called for every further connection.
    pub fn and<F>(mut self, mut play: impl FnMut(Player) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.further = Some(Box::new(move |player| Box::pin(play(player))));
        self
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Device for Scripted {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        let method = match &block.kind {
            BlockKind::Deploy { to, .. } => to,
            BlockKind::Boot { method, .. } => method,
            _ => return None,
        };
        (method != "sandbox" && method != "new_connection")
            .then(|| Refusal::new(format!("it has no {method}"), "use `sandbox`"))
    }

    fn deploy(&mut self, _deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        self.note("deploy");
        Box::pin(async { Ok(Deployed::default()) })
    }

    fn boot(&mut self, _request: BootRequest) -> DeviceFuture<'_, Console> {
        self.note("boot");
        let console = played(&mut self.play, self.tells);
        Box::pin(async move { Ok(console) })
    }

    fn connect(&mut self, _name: &str, _log: DeviceLog) -> DeviceFuture<'_, Console> {
        self.note("connect");
        let console = played(self.further.as_mut().unwrap(), false);
        Box::pin(async move { Ok(console) })
    }

    fn command(&mut self, what: &str, command: &str, _log: DeviceLog) -> DeviceFuture<'_, ()> {
        self.commands.lock().unwrap().push(command.to_owned());
        let result = match command.contains(self.failing) {
            true => Err(ActionError::infrastructure(format!("{what} failed"))),
            false => Ok(()),
        };
        Box::pin(async { result })
    }

    fn kernel_console(&self) -> bool {
        self.kernel
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        self.note("off");
        Box::pin(async { Ok(()) })
    }
}

/// A console whose other end is played.
fn played(play: &mut Play, tells: bool) -> Console {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let (from, to) = tokio::io::split(theirs);
    let (tell, events) = mpsc::unbounded_channel();
    tokio::spawn(play(Player { from: BufReader::new(from), to, tell }));
    Console { events: tells.then_some(events), ..Console::new(reader, writer) }
}

/// The device's end of a console.
pub struct Player {
    from: BufReader<ReadHalf<DuplexStream>>,
    to: WriteHalf<DuplexStream>,
    pub tell: mpsc::UnboundedSender<DeviceEvent>,
}

impl Player {
    /// The next typed line, without its LF; none when the dispatcher has closed the console.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end_matches('\n').to_owned()),
        }
    }

    pub async fn print(&mut self, text: &str) {
        let _ = self.to.write_all(text.as_bytes()).await;
    }

    /// Behaves like a shell until a line begins with `until`: prompts for every other line.
    pub async fn shell(&mut self, until: &str) -> Option<String> {
        loop {
            let line = self.line().await?;
            if line.starts_with(until) {
                return Some(line);
            }
            self.print("device# ").await;
        }
    }

    /// Plays a runner: waits until it is started, then prints `output`.
    pub async fn runner(&mut self, output: &str) {
        if self.shell("/lava-101/bin/lava-test-runner").await.is_some() {
            self.print(output).await;
        }
    }

    /// Takes what is typed until the console is closed.
    pub async fn drain(&mut self) {
        while self.line().await.is_some() {}
    }
}

/// One member with everything it needs.
pub struct Bench {
    pub recorder: Recorder,
    pub cancel: CancellationToken,
    pub options: DispatchOptions,
    _scratch: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        Bench {
            recorder: Recorder::for_tests(),
            cancel: CancellationToken::new(),
            options: DispatchOptions::new(PathBuf::from(scratch.path()), "convoke test"),
            _scratch: scratch,
        }
    }

    pub fn rehearsal() -> Self {
        let mut bench = Self::new();
        bench.options.rehearsal = true;
        bench
    }

    pub async fn run(&self, job: MemberJob, device: impl Device + 'static) -> MemberOutcome {
        self.run_in(job, device, None).await
    }

    pub async fn run_in(
        &self,
        job: MemberJob,
        device: impl Device + 'static,
        client: Option<Arc<dyn GroupClient>>,
    ) -> MemberOutcome {
        run_member(MemberRun {
            job,
            device: Box::new(device),
            client,
            recorder: self.recorder.clone(),
            cancel: self.cancel.clone(),
            options: self.options.clone(),
        })
        .await
    }

    pub fn bodies(&self) -> Vec<Body> {
        self.recorder.events().into_iter().map(|event| event.body).collect()
    }

    pub fn records(&self) -> Vec<ResultRecord> {
        let results = self.bodies().into_iter().filter_map(|body| match body {
            Body::Result(record) => Some(record),
            _ => None,
        });
        results.collect()
    }

    /// `suite.case result`, one a line, without those of the overlay's preparation.
    pub fn results(&self) -> String {
        let shown = |record: &ResultRecord| !(record.definition == "lava" && record.case.ends_with("-overlay"));
        let lines = self.records().into_iter().filter(shown).map(|record| {
            format!("{}.{} {}", record.definition, record.case, format!("{:?}", record.result).to_lowercase())
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Everything typed, one after the other.
    pub fn typed(&self) -> String {
        let lines = self.bodies().into_iter().filter_map(|body| match body {
            Body::Input { text } => Some(text),
            _ => None,
        });
        lines.collect()
    }

    /// All log lines.
    pub fn log(&self) -> String {
        let lines = self.bodies().into_iter().filter_map(|body| match body {
            Body::Log { level, text } => Some(format!("{level:?}: {text}\n")),
            _ => None,
        });
        lines.collect()
    }
}
