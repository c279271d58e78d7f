/**
 * What is short, and the remedy, where a text tells of a limit of descriptors or processes: the code of a system call that
 * Node names (`spawn nft EMFILE`) or a tool's own words. Undefined: it tells of none.
 */
export function shortageOf(text: string): string | undefined {
  if (/\bENFILE\b|Too many open files in system/i.test(text))
    return "too many open files on this node; raise fs.file-max (sysctl)";
  if (/\bEMFILE\b|Too many open files/i.test(text))
    return "too many open files; raise the limit (ulimit -n, LimitNOFILE= in systemd)";
  if (/\bspawn \S+ EAGAIN\b|fork: Resource temporarily unavailable/i.test(text))
    return "too many processes; raise the limit (ulimit -u, TasksMax= in systemd, the container's pids limit)";
  return undefined;
}
