// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * What a JVM uses, as it tells itself, in kibibytes. The resident set alone cannot tell a leak from
 * a program that runs in: a heap counts when it is touched, compiled code and classes come until
 * everything has been done often, and the C library keeps what a compiler has given back.
 *
 * @param live objects that can be reached
 * @param program the program's memory outside of the heap: that of its arenas and its threads
 * @param machine what the JVM itself has outside of the heap: classes, code, tables
 */
record JvmMemory(long live, long program, long machine) {
  private static final Pattern LINE =
      Pattern.compile(".*live (\\d+) KiB, program's (\\d+) KiB, machine's (\\d+) KiB.*");

  private static final Pattern CATEGORY =
      Pattern.compile("-\\s+(.+?) \\(reserved=\\d+KB, committed=(\\d+)KB.*");

  /** What a compiler has while it compiles. */
  private static final Set<String> PASSING = Set.of("Arena Chunk", "Compiler");

  private static final Set<String> OF_PROGRAM = Set.of("Other", "Internal", "Thread");

  /** Kibibytes of {@link #PASSING} when no compiler works. */
  private static final long IDLE = 1 << 10;

  private static final long IDLE_NANOS = 20_000_000_000L;
  private static final long LOOK_MILLIS = 200;

  /**
   * Looks at this process; what the C library keeps goes back to the kernel. Needs {@code
   * -XX:NativeMemoryTracking=summary}.
   *
   * @param waits whether until its compilers have nothing to do
   */
  static JvmMemory now(boolean waits) throws JMException, InterruptedException {
    var server = ManagementFactory.getPlatformMBeanServer();
    long live = reachable();
    var used = categories(server);
    long begin = System.nanoTime();
    while (waits && sum(used, PASSING) > IDLE && System.nanoTime() - begin < IDLE_NANOS) {
      Thread.sleep(LOOK_MILLIS);
      used = categories(server);
    }
    command(server, "systemTrimNativeHeap");
    used.remove("Java Heap");
    long program = sum(used, OF_PROGRAM);
    return new JvmMemory(live, program, sum(used, used.keySet()) - program - sum(used, PASSING));
  }

  /** Reads what another process said, its {@link #toString}. */
  static JvmMemory read(String text) {
    var line = LINE.matcher(text);
    if (!line.matches()) {
      throw new IllegalArgumentException("no memory in: " + text);
    }
    return new JvmMemory(
        Long.parseLong(line.group(1)),
        Long.parseLong(line.group(2)),
        Long.parseLong(line.group(3)));
  }

  /** Memory of an arena that is no longer reachable is freed by a thread, some time later. */
  private static long reachable() throws InterruptedException {
    var heap = ManagementFactory.getMemoryMXBean();
    long last = Long.MAX_VALUE;
    while (true) {
      heap.gc();
      long used = heap.getHeapMemoryUsage().getUsed() >> 10;
      if (used >= last) {
        return used;
      }
      last = used;
      Thread.sleep(LOOK_MILLIS);
    }
  }

  private static Map<String, Long> categories(MBeanServer server) throws JMException {
    var told = command(server, "vmNativeMemory", "summary");
    var all = new LinkedHashMap<String, Long>();
    told.lines()
        .map(CATEGORY::matcher)
        .filter(line -> line.matches())
        .forEach(line -> all.put(line.group(1), Long.parseLong(line.group(2))));
    if (!all.keySet().containsAll(OF_PROGRAM)) {
      throw new IllegalStateException("the JVM does not tell what it uses: " + told);
    }
    return all;
  }

  private static String command(MBeanServer server, String name, String... arguments)
      throws JMException {
    boolean takesSome = arguments.length > 0;
    return String.valueOf(
        server.invoke(
            new ObjectName("com.sun.management:type=DiagnosticCommand"),
            name,
            takesSome ? new Object[] {arguments} : new Object[0],
            takesSome ? new String[] {String[].class.getName()} : new String[0]));
  }

  private static long sum(Map<String, Long> used, Set<String> names) {
    return names.stream().mapToLong(name -> used.getOrDefault(name, 0L)).sum();
  }

  @Override
  public String toString() {
    return "live %d KiB, program's %d KiB, machine's %d KiB".formatted(live, program, machine);
  }
}
