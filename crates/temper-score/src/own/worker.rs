//! One process that takes a line and gives a line, within a time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::batches::lock;
use super::wire::cut;

/// Longest line that is taken as an answer.
const LONGEST: u64 = 256 << 20;
/// Lines of standard error that are kept for messages.
const LAST_LINES: usize = 8;
/// Time that a process whose output has ended gets to end too, and its last messages to arrive.
const GRACE: Duration = Duration::from_secs(1);

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Program and arguments; never empty.
    pub(crate) command: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: Option<PathBuf>,
    /// Whether the process says `{"ready": true}` before it takes batches.
    pub(crate) says_ready: bool,
    /// Time to say so.
    pub(crate) start_timeout: Duration,
    /// Time for one batch.
    pub(crate) timeout: Duration,
}

/// Why a line brought no line back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No line in time.
    Hung(String),
    /// The process ended, or wrote what it should not.
    Broke(String),
}

/// A running process. Dropped, it is killed with all that it started.
pub(crate) struct Worker {
    child: Child,
    to: Option<SyncSender<Vec<u8>>>,
    from: Receiver<std::io::Result<String>>,
    errors: Arc<Mutex<VecDeque<String>>>,
    timeout: Duration,
    /// Killed and waited for.
    gone: bool,
}

impl Worker {
    /// Starts a process, in a process group of its own.
    pub(crate) fn start(launch: &Launch) -> Result<Worker, Lost> {
        let program = launch.command.first().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(&launch.command[1..]).envs(launch.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(cwd) = &launch.cwd {
            command.current_dir(cwd);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| Lost::Broke(format!("cannot start `{program}`: {error}; check the command and `cwd`")))?;
        let (to, lines_in) = sync_channel::<Vec<u8>>(1);
        let (lines_out, from) = sync_channel(16);
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(mut stdin) = child.stdin.take() {
            // Writing apart from reading: neither side can fill a pipe that the other does not empty.
            thread::spawn(move || {
                while let Ok(line) = lines_in.recv() {
                    if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                        break;
                    }
                }
            });
        }
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(line) = read_line(&mut stdout).transpose() {
                    let last = line.is_err();
                    if lines_out.send(line).is_err() || last {
                        break;
                    }
                }
            });
        }
        if let Some(stderr) = child.stderr.take() {
            let errors = errors.clone();
            thread::spawn(move || {
                let mut stderr = BufReader::new(stderr);
                let mut line = Vec::new();
                while matches!(stderr.by_ref().take(4096).read_until(b'\n', &mut line), Ok(n) if n > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    line.clear();
                    if !text.is_empty() {
                        let mut errors = lock(&errors);
                        errors.push_back(text);
                        if errors.len() > LAST_LINES {
                            errors.pop_front();
                        }
                    }
                }
            });
        }
        let mut worker = Worker { child, to: Some(to), from, errors, timeout: launch.timeout, gone: false };
        if launch.says_ready {
            worker.await_ready(launch.start_timeout)?;
        }
        Ok(worker)
    }

    fn await_ready(&mut self, limit: Duration) -> Result<(), Lost> {
        let line = self.receive(limit, "was not ready", "start_timeout")?;
        match serde_json::from_str::<serde_json::Value>(&line) {
            Ok(value) if value.get("ready") == Some(&true.into()) => Ok(()),
            Ok(value) if value.get("fatal").is_some_and(serde_json::Value::is_string) => {
                Err(Lost::Broke(value["fatal"].as_str().unwrap_or_default().to_owned()))
            }
            _ => Err(Lost::Broke(format!("wrote `{}` first, expected {{\"ready\": true}}", cut(&line)))),
        }
    }

    /// Sends a line (without its end) and waits for the line that answers it. After an error the worker is of no more use.
    pub(crate) fn ask(&mut self, line: String) -> Result<String, Lost> {
        match self.from.try_recv() {
            Err(TryRecvError::Empty) => {}
            Ok(Ok(extra)) => {
                return Err(Lost::Broke(format!(
                    "wrote `{}` unasked; write one line for each line that is read, and messages on standard error",
                    cut(&extra)
                )));
            }
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => return Err(Lost::Broke(self.ended())),
        }
        // What it wrote about earlier batches explains nothing about this one.
        lock(&self.errors).clear();
        let mut line = line.into_bytes();
        line.push(b'\n');
        if self.to.as_ref().is_none_or(|to| to.send(line).is_err()) {
            return Err(Lost::Broke(self.ended()));
        }
        self.receive(self.timeout, "gave no answer", "timeout")
    }

    fn receive(&mut self, limit: Duration, what: &str, parameter: &str) -> Result<String, Lost> {
        match self.from.recv_timeout(limit) {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(error)) => Err(Lost::Broke(format!("its output cannot be read: {error}"))),
            Err(RecvTimeoutError::Disconnected) => Err(Lost::Broke(self.ended())),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Lost::Hung(format!(
                    "{what} within {} s and was killed; raise `{parameter}` if it only needs longer",
                    limit.as_secs_f64()
                )))
            }
        }
    }

    /// How the process ended, with its last words.
    fn ended(&mut self) -> String {
        let deadline = Instant::now() + GRACE;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.to_string(),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(None) => {
                    self.kill();
                    break "closed standard output".to_owned();
                }
                Err(error) => break error.to_string(),
            }
        };
        // What the process started is left behind no more than itself.
        self.kill();
        // The thread that reads standard error may be a moment behind.
        thread::sleep(Duration::from_millis(20));
        let errors = lock(&self.errors);
        if errors.is_empty() {
            return format!("the process ended ({status}) and wrote nothing on standard error");
        }
        let last: Vec<&str> = errors.iter().map(String::as_str).collect();
        format!("the process ended ({status}); last on standard error: {}", last.join(" | "))
    }

    /// Kills the process and its group, once.
    fn kill(&mut self) {
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        self.to = None;
        #[cfg(unix)]
        if let Ok(group) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: a plain system call, on the group that the child has led from its start.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The next line without its end; `None` at the end of the output.
fn read_line(from: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
    if read as u64 == LONGEST && line.last() != Some(&b'\n') {
        let what = format!("a line of more than {} MiB", LONGEST >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
    }
    Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()))
}
