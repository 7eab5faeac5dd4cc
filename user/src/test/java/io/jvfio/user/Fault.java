// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.FaultInjector;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A system call that fails once. Several threads make calls, so that a number among all of them
 * would be another call each time: it is the number among the calls of its name.
 *
 * @param operation the name of the call
 * @param number which of them fails, from 0
 */
record Fault(String operation, int number, Errno errno) {
  /** No call fails. */
  static final Fault NONE = new Fault("none", -1, Errno.EIO);

  /**
   * What each call can fail with. EINTR is not among it: {@link LinuxKernel} takes up again what
   * was interrupted.
   */
  private static final Map<String, List<Errno>> PLAUSIBLE =
      Map.ofEntries(
          Map.entry("socket", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.EACCES)),
          Map.entry("socketpair", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM)),
          Map.entry("fchmod", List.of(Errno.EPERM, Errno.EIO)),
          Map.entry(
              "bind", List.of(Errno.EACCES, Errno.ENOENT, Errno.ENOSPC, Errno.EROFS, Errno.ENOMEM)),
          Map.entry("listen", List.of(Errno.EADDRINUSE, Errno.ENOMEM)),
          Map.entry(
              "connect",
              List.of(Errno.ENOENT, Errno.ECONNREFUSED, Errno.EAGAIN, Errno.EACCES, Errno.ENOMEM)),
          Map.entry(
              "accept4",
              List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ECONNABORTED, Errno.EPERM)),
          Map.entry("setsockopt", List.of(Errno.ENOMEM, Errno.EPERM)),
          // Source: unix_shutdown(), which knows no error.
          Map.entry("shutdown", List.of()),
          Map.entry("send", List.of(Errno.ENOMEM, Errno.EPIPE, Errno.ECONNRESET)),
          Map.entry("sendmsg", List.of(Errno.ENOMEM, Errno.EPIPE, Errno.EBADF, Errno.EPERM)),
          Map.entry("recvmsg", List.of(Errno.ENOMEM, Errno.ECONNRESET, Errno.EFAULT)),
          Map.entry("poll", List.of(Errno.ENOMEM, Errno.EINVAL)),
          Map.entry("epoll_create1", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM)),
          Map.entry("epoll_ctl", List.of(Errno.ENOMEM, Errno.ENOSPC, Errno.EPERM)),
          Map.entry("epoll_wait", List.of(Errno.ENOMEM, Errno.EINVAL)),
          Map.entry("eventfd", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENODEV)),
          Map.entry(
              "memfd_create",
              List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOSPC, Errno.EFBIG)),
          Map.entry(
              "mmap", List.of(Errno.ENOMEM, Errno.EACCES, Errno.EAGAIN, Errno.ENODEV, Errno.EPERM)),
          Map.entry("munmap", List.of(Errno.ENOMEM, Errno.EINVAL)),
          Map.entry("mlock", List.of(Errno.ENOMEM, Errno.EPERM, Errno.EAGAIN)),
          Map.entry("munlock", List.of(Errno.ENOMEM)),
          Map.entry("statx", List.of(Errno.EIO, Errno.ENOMEM, Errno.EACCES)),
          Map.entry("open", List.of(Errno.EMFILE, Errno.ENFILE, Errno.EACCES, Errno.ENOMEM)),
          Map.entry("pread", List.of(Errno.EIO, Errno.ENOMEM)),
          Map.entry("preadv2", List.of(Errno.EAGAIN, Errno.EOPNOTSUPP)),
          Map.entry("close", List.of(Errno.EIO, Errno.EDQUOT)),
          Map.entry("readLink", List.of(Errno.ENOENT, Errno.EACCES)),
          Map.entry("list", List.of(Errno.ENOENT, Errno.EACCES, Errno.EMFILE)),
          // Of an eventfd, with memory of the right size: it can only be full, and that cannot be
          // pretended, for then it would be readable.
          Map.entry("read", List.of()),
          Map.entry("write", List.of()));

  /** What is done with one fault. */
  interface Run {
    void with(Fault fault) throws Exception;
  }

  /**
   * Does something with each fault that there can be; an error tells of all that went wrong.
   *
   * @param calls of a run without faults
   * @param withAll whether each call fails with each errno; or with one of them, so that many calls
   *     of a name see all
   */
  static void runAll(List<FaultInjector.Call> calls, boolean withAll, Run run) {
    var failures = new ArrayList<String>();
    for (var fault : of(calls, withAll)) {
      try {
        run.with(fault);
      } catch (AssertionError | Exception e) {
        failures.add(fault + ": " + e);
      }
    }
    assertThat(failures).isEmpty();
  }

  private static List<Fault> of(List<FaultInjector.Call> calls, boolean withAll) {
    var counts = new HashMap<String, Integer>();
    var all = new ArrayList<Fault>();
    for (var call : calls) {
      int number = counts.merge(call.operation(), 1, Integer::sum) - 1;
      var errnos = PLAUSIBLE.get(call.operation());
      if (errnos == null) {
        throw new AssertionError("nobody has said what " + call.operation() + " can fail with");
      }
      for (int i = 0; i < errnos.size(); i++) {
        if (withAll || i == number % errnos.size()) {
          all.add(new Fault(call.operation(), number, errnos.get(i)));
        }
      }
    }
    return all;
  }

  /** Whether somebody is told of it, by its name or by what it says. */
  boolean isNamedIn(String text) {
    return (!equals(NONE) && text.contains(errno.symbol()))
        // A peer that is gone.
        || (errno.equals(Errno.EPIPE) && text.contains(Errno.ECONNRESET.symbol()))
        // A server with more clients than it accepts is one that has the path.
        || (operation.equals("connect")
            && errno.equals(Errno.EAGAIN)
            && text.contains(Errno.EADDRINUSE.symbol()));
  }

  /** Makes it happen, to one of the calls from now on. */
  void arm(FaultInjector injector) {
    var seen = new AtomicInteger();
    injector.failWhen(
        call -> call.operation().equals(operation) && seen.getAndIncrement() == number, errno);
  }

  @Override
  public String toString() {
    return "%s number %d: %s".formatted(operation, number, errno.symbol());
  }
}
