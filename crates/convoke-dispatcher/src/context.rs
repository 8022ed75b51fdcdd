//! What the actions of one member share.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use convoke_artifact::Artifact;
use convoke_coordinator::{Clock, GroupClient};
use convoke_device::dictionary::UserCommand;
use convoke_job::MemberJob;
use convoke_job::member::GroupMember;
use convoke_job::pipeline::PlannedAction;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::calls::Caller;
use crate::console::ConsoleLink;
use crate::consoles::Consoles;
use crate::device::{Device, DeviceInfo, Image, OverlayArchive};
use crate::error::{ActionError, ErrorClass, Failure};
use crate::limits::{Deadline, Nature};
use crate::log::Log;
use crate::run::DispatchOptions;
use crate::stages::Stages;

/// A device is not shared, but the context around it is: the lock is never taken, only looked through.
struct Exclusive(Mutex<Box<dyn Device>>);

/// The state of one member while its pipeline runs.
pub(crate) struct Context {
    pub(crate) log: Log,
    pub(crate) job: Arc<MemberJob>,
    device: Exclusive,
    /// Whether a kernel's first line on the console means a reboot.
    pub(crate) kernel_console: bool,
    /// The device's facts, so that they can be read while it is busy.
    pub(crate) info: DeviceInfo,
    pub(crate) client: Option<Arc<dyn GroupClient>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) options: DispatchOptions,
    /// The test blocks and their definitions.
    pub(crate) stages: Stages,
    /// The consoles, once booted.
    pub(crate) consoles: Consoles,
    /// User commands that have been started, to be undone.
    pub(crate) commands: Vec<UserCommand>,
    /// Data of `protocols:` requests: namespace, then messageID, then key (job-definition.md §6.3).
    pub(crate) stored: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    /// The overlay made by the running deploy, not yet handed over.
    pub(crate) overlay: Option<OverlayArchive>,
    /// Overlays that the device is to fetch itself, by namespace.
    pub(crate) transfer: BTreeMap<String, OverlayArchive>,
    /// What the running deploy has downloaded, not yet handed over.
    pub(crate) images: Vec<Image>,
    /// What deploys to `downloads` have left, by name.
    pub(crate) downloads: BTreeMap<String, Artifact>,
    /// What the device says is to be typed before a test, once after each boot.
    pub(crate) before_test: Vec<String>,
    /// Whether that has been typed since the last boot.
    pub(crate) prepared: bool,
    /// Whether the device has got an overlay.
    pub(crate) deployed: bool,
    /// Whether the running attempt of a boot block has booted the device.
    pub(crate) booted: bool,
    /// Stages whose runner may have been started.
    pub(crate) started: BTreeSet<usize>,
}

impl Context {
    /// The state before anything has run.
    pub(crate) fn new(
        job: MemberJob,
        device: Box<dyn Device>,
        client: Option<Arc<dyn GroupClient>>,
        log: Log,
        cancel: CancellationToken,
        options: DispatchOptions,
    ) -> Self {
        Context {
            log,
            info: device.info().clone(),
            stages: Stages::of(&job),
            job: Arc::new(job),
            kernel_console: device.kernel_console(),
            device: Exclusive(Mutex::new(device)),
            client,
            cancel,
            options,
            consoles: Consoles::default(),
            commands: Vec::new(),
            stored: BTreeMap::new(),
            overlay: None,
            transfer: BTreeMap::new(),
            images: Vec::new(),
            downloads: BTreeMap::new(),
            before_test: Vec::new(),
            prepared: false,
            deployed: false,
            booted: false,
            started: BTreeSet::new(),
        }
    }

    /// Runs one piece of work of the action `name`, and ends it at the deadline or when the member is stopped.
    pub(crate) async fn guard<T>(
        &mut self,
        name: &str,
        nature: Nature,
        deadline: &Deadline,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, ActionError>,
    ) -> Result<T, ActionError> {
        let cancel = self.cancel.clone();
        let stop = Arc::clone(&self.options.stop);
        bounded(name, nature, deadline, &cancel, &stop, work(self)).await
    }

    /// The error of a member that is stopped from outside.
    pub(crate) fn stopped(&self) -> ActionError {
        stopped(&self.options.stop)
    }

    /// The device.
    pub(crate) fn device(&mut self) -> &mut dyn Device {
        self.device.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }

    /// Makes calls of the group; `None` in a single-device job.
    pub(crate) fn caller(&self) -> Option<Caller> {
        self.client.as_ref().map(|client| Caller::new(Arc::clone(client), self.log.clone(), &self.job))
    }

    /// The clock on which this member's limits count.
    pub(crate) fn clock(&self) -> Clock {
        self.client.as_ref().map(|client| client.clock()).unwrap_or_default()
    }

    /// All members of the group.
    pub(crate) fn members(&self) -> &[GroupMember] {
        self.job.group.as_ref().map_or(&[], |group| &group.members)
    }

    /// The namespace whose console an action uses.
    pub(crate) fn connection<'a>(&'a self, action: &'a PlannedAction) -> &'a str {
        action.block.map_or(&action.namespace, |block| self.job.blocks[block].connection_namespace())
    }

    /// The console that an action uses, once there is one.
    pub(crate) fn console(&self, action: &PlannedAction) -> Option<&ConsoleLink> {
        self.consoles.of(self.connection(action))
    }

    /// Prompts to wait for on it: the job's, else the device's.
    pub(crate) fn wanted_prompts(&self, action: &PlannedAction) -> &[String] {
        match self.consoles.prompts(self.connection(action)) {
            [] => &self.info.prompts,
            prompts => prompts,
        }
    }

    /// The results directory on the device.
    pub(crate) fn results_dir(&self) -> String {
        self.info.results_dir.replace("%s", &self.job.job_id.to_string())
    }
}

async fn bounded<T>(
    name: &str,
    nature: Nature,
    deadline: &Deadline,
    cancel: &CancellationToken,
    stop: &Arc<std::sync::OnceLock<Failure>>,
    work: impl Future<Output = Result<T, ActionError>>,
) -> Result<T, ActionError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(stopped(stop)),
        result = work => result,
        () = deadline.reached() => Err(deadline.passed(name, nature)),
    }
}

fn stopped(stop: &std::sync::OnceLock<Failure>) -> ActionError {
    match stop.get() {
        Some(failure) => ActionError {
            class: failure.class,
            message: failure.message.clone(),
            reason: failure.reason.clone(),
            consequence: failure.consequence,
        },
        None => ActionError::new(ErrorClass::Canceled, "cancelled by the user"),
    }
}
