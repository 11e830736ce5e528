//! The machine in words, and the peak of memory by stage.

/// Processor, cores and memory, as far as the system says.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .and_then(|line| line.split_once(':'))
            .map(|(_, v)| v.trim().to_owned())
    };
    let cpu = value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = value(&read("/proc/meminfo"), "MemTotal")
        .and_then(|v| v.trim_end_matches(" kB").parse::<f64>().ok())
        .map(|kib| format!(", {:.0} GiB", kib / 1024.0 / 1024.0))
        .unwrap_or_default();
    format!("{cpu}, {cores} cores{memory}")
}

/// Bytes that this process may take: what is free and what it already has, within the limit of its control group. `None`
/// where the system does not say.
pub fn available_memory() -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(1024 * line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()?)
    };
    let free = field(&read("/proc/meminfo"), "MemAvailable:");
    let own = field(&read("/proc/self/status"), "VmRSS:").unwrap_or(0);
    available(free, own, &group_limits(&read("/proc/self/cgroup")))
}

fn available(free: Option<u64>, own: u64, limits: &[u64]) -> Option<u64> {
    free.map(|free| free + own).into_iter().chain(limits.iter().copied()).min()
}

/// Memory limits of the control group (version 2 or 1) and of those above it.
fn group_limits(groups: &str) -> Vec<u64> {
    let mut files =
        vec!["/sys/fs/cgroup/memory.max".to_owned(), "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()];
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else { continue };
        let mut path = path.trim_end_matches('/');
        while !path.is_empty() {
            if kinds.is_empty() {
                files.push(format!("/sys/fs/cgroup{path}/memory.max"));
            } else if kinds.split(',').any(|kind| kind == "memory") {
                files.push(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"));
            }
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    // Without a limit the first version says a number near the largest one.
    let limit = |file: &String| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    files.iter().filter_map(limit).filter(|limit| *limit < 1 << 62).collect()
}

/// Starts a new peak of resident memory, so that each stage reports its own. Where the system does not offer that, the
/// peak stays that of the whole process.
pub fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_counts() {
        assert_eq!(available(Some(100), 20, &[]), Some(120));
        assert_eq!(available(Some(100), 20, &[90, 300]), Some(90));
        assert_eq!(available(None, 20, &[300]), Some(300));
        assert_eq!(available(None, 20, &[]), None);
        assert!(group_limits("0::/no/such/group\n4:memory:/none\nnonsense").len() <= 2);
    }
}
