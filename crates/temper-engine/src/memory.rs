//! How much memory the process has used.

/// Peak resident set size of this process in bytes (`VmHWM` of `/proc/self/status`, else `getrusage`); 0 if unknown.
pub fn peak_memory_bytes() -> u64 {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:"))
        && let Some(kib) = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok())
    {
        return kib * 1024;
    }
    rusage_peak()
}

#[cfg(unix)]
fn rusage_peak() -> u64 {
    // SAFETY: `getrusage` fills the zeroed struct that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &mut usage) != 0 {
            return 0;
        }
        usage
    };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    usage.ru_maxrss as u64 * unit
}

#[cfg(not(unix))]
fn rusage_peak() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn peak_is_plausible() {
        assert!(super::peak_memory_bytes() > 100_000);
    }
}
