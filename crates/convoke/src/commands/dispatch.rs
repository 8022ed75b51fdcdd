//! `convoke dispatch`: one member on one device, its group at a coordinator elsewhere. What LAVA's `lava-run` does.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use convoke_coordinator::{
    Access, ClientTls, ClientTlsFiles, DEFAULT_PORT, DEFAULT_TLS_PORT, TcpClient, TcpSettings, coordinator_address,
};
use convoke_group::{GroupName, MemberName, RoleName};
use convoke_job::member::Place;
use convoke_job::{Diagnostic, JobId, MemberJob, Source, yaml};
use convoke_lab::Lab;
use convoke_run::{FolderError, Plan, RunFolder, RunOptions};
use serde_json::Value;

use crate::arguments::DispatchArguments;
use crate::attend::Stage;
use crate::commands::{guarding, job, run};
use crate::failure::Failure;
use crate::{input, report, view};

pub(crate) fn dispatch(arguments: &DispatchArguments) -> Result<ExitCode, Failure> {
    let (coordinator, access) = coordinator(arguments)?;
    let source = input::read(&arguments.member, "member's job")?;
    let (member, findings) = read_member(&source, arguments.job_id)?;
    report::print(&source, &findings);
    let (lab, faults, device) = read_device(&arguments.device, member.as_ref())?;
    report::print(&device, &faults);
    let lab = sound(lab, &faults)?;
    let member = sound(member, &findings)?;
    if member.group.is_none() {
        return Err(Failure::User(format!(
            "{} is the job of a single device, which needs no coordinator: use `convoke run`",
            source.name()
        )));
    }
    let plan = convoke_run::plan_member(member, &lab).map_err(run::no_plan)?;
    let client = client(&plan, arguments, coordinator, access)?;
    let folder = RunFolder::create(&arguments.output).map_err(|error: FolderError| Failure::User(error.to_string()))?;
    let shown = run::shown(folder.path(), Some(&arguments.output));
    let options = RunOptions {
        job_file: arguments.member.display().to_string(),
        program: run::PROGRAM.to_owned(),
        views: vec![view::chosen(arguments.format, arguments.log_level, &shown, &Stage::default())],
        folder,
        keep: false,
        findings: findings.iter().map(|finding| job::record(finding, Some(&source))).collect(),
        stops: None,
        play: None,
    };
    run::attended(async |cancel| {
        let outcome = convoke_run::execute_member(plan, client, options, cancel).await.map_err(run::run_error)?;
        Ok(run::exit_code(&outcome))
    })
}

fn sound<T>(read: Option<T>, findings: &[Diagnostic]) -> Result<T, Failure> {
    read.filter(|_| !findings.iter().any(Diagnostic::is_error)).ok_or(Failure::Findings)
}

/// Reads a device file. LAVA's do not say what type the device has: it is what the member asks for.
fn read_device(path: &Path, member: Option<&MemberJob>) -> Result<(Option<Lab>, Vec<Diagnostic>, Source), Failure> {
    let source = input::read(path, "device file")?;
    let wanted = member.and_then(|member| match &member.place {
        Place::Device { device_type, .. } => Some(device_type),
        Place::Guest { .. } => None,
    });
    let (lab, findings) = Lab::read_device(&source, wanted);
    Ok((lab, findings, source))
}

/// Reads a member's definition.
fn read_member(source: &Source, job_id: Option<u64>) -> Result<(Option<MemberJob>, Vec<Diagnostic>), Failure> {
    let (root, mut findings) = yaml::parse(source, yaml::Limits::default());
    let Some(root) = root.filter(|_| !findings.iter().any(Diagnostic::is_error)) else { return Ok((None, findings)) };
    let id = match job_id {
        Some(id) => id,
        None => own_id(&root.to_value()).ok_or_else(|| {
            let file = source.name();
            Failure::User(format!("{file} does not say which member of its role it is: give its id with --job-id"))
        })?,
    };
    let (member, more) = MemberJob::from_definition(&root, JobId(id));
    findings.extend(more);
    Ok((member, findings))
}

/// The id of a member whose definition does not hold it: from our list of members, or from LAVA's map if only one of them
/// has its role. Without either, ids count from 1 as those of `convoke split` do.
fn own_id(definition: &Value) -> Option<u64> {
    let protocol = definition.pointer("/protocols/lava-multinode");
    let of = |key: &str| protocol.and_then(|protocol| protocol.get(key));
    let number = of("sub_id").and_then(Value::as_u64).unwrap_or(0);
    if let Some(members) = of("members").and_then(Value::as_array) {
        let own = members.iter().find(|member| member.get("sub_id").and_then(Value::as_u64) == Some(number));
        let id = own.and_then(|own| own.get("id")?.as_str()?.parse().ok());
        // Members that are called after their devices have another name beside the id.
        return id.or(number.checked_add(1));
    }
    // A whole job, given by mistake, has roles of another kind; reading it says so.
    let assigned = of("target_group").and_then(|_| of("roles")?.as_object());
    let Some(roles) = assigned else { return number.checked_add(1) };
    let mut mine = roles.iter().filter(|(_, role)| Some(*role) == of("role")).filter_map(|(id, _)| id.parse().ok());
    mine.next().filter(|_| mine.next().is_none())
}

/// Where the coordinator is, and what it is shown.
fn coordinator(arguments: &DispatchArguments) -> Result<(String, Access), Failure> {
    let port = if arguments.tls_ca.is_some() { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
    let address = coordinator_address(&arguments.coordinator, port)
        .map_err(|why| Failure::User(format!("--coordinator {}: {why}", arguments.coordinator)))?;
    let token = match arguments.token_file.as_deref() {
        None => None,
        Some(path) => match guarding::tokens(path)?.as_slice() {
            [token] => Some(token.clone()),
            _ => return Err(Failure::User(format!("{}: a dispatcher has one token", path.display()))),
        },
    };
    let own = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    let files = arguments.tls_ca.clone().map(|ca| ClientTlsFiles { ca, own });
    let tls = files.as_ref().map(ClientTls::open).transpose().map_err(|error| Failure::User(error.to_string()))?;
    Ok((address, Access { token, tls }))
}

fn client(
    plan: &Plan,
    arguments: &DispatchArguments,
    coordinator: String,
    access: Access,
) -> Result<TcpClient, Failure> {
    let bug = || Failure::Bug("a member was planned without its group".to_owned());
    let member = plan.members.first().ok_or_else(bug)?;
    let group = member.job.group.as_ref().ok_or_else(bug)?;
    let size = usize::try_from(group.size).ok().and_then(NonZeroUsize::new).ok_or_else(bug)?;
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let settings = TcpSettings {
        coordinator,
        group: GroupName::new(group.target_group.clone()),
        size,
        member: MemberName::new(member.name.clone()),
        role: RoleName::new(group.role.as_str()),
        hostname: if hostname.trim().is_empty() { "localhost".to_owned() } else { hostname.trim().to_owned() },
        poll_delay: arguments.poll_delay,
    };
    Ok(TcpClient::with_access(settings, access))
}
