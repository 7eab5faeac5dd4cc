// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static java.util.stream.Collectors.toCollection;

import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * {@code NvmeWorkload [--iommu TYPE] [--mib N] [--seed N] [--endless] ADDRESS}: drives an NVMe
 * controller with four queue pairs and their interrupts, each with a thread of its own and up to 64
 * commands in flight. A region of the disk is written in requests of random sizes from 512 B to 1
 * MiB, flushed, and read again in requests of other sizes. It prints what {@link DiskCheck} needs
 * to know, checksums of what was written and of what was read, and figures.
 *
 * <p>With {@code --endless} it goes on until something fails or the host wants its device back;
 * then it gives back everything and prints what is left, how the commands in flight ended, and
 * exits with status 3.
 *
 * <p>Run it with {@code -XX:-UseTLAB}: every allocation then counts at once in what the heap has in
 * use.
 */
public final class NvmeWorkload {
  private static final int QUEUES = 4;

  /** One more than fit would do; the controller's limit is far above. */
  private static final int ENTRIES = 2 * WorkloadQueue.DEPTH;

  /** Memory for 64 commands of this size is 32 MiB, and a request of 1 MiB takes at least two. */
  private static final long LARGEST_COMMAND = 512 << 10;

  private static final int FIRST_BLOCK = (64 << 20) / WorkloadPlan.BLOCK;
  private static final int BLOCKS_PER_MIB = (1 << 20) / WorkloadPlan.BLOCK;
  private static final int WRITING = 0;
  private static final int READING = 1;

  /** Exit status of a workload without an end, when something has ended it. */
  static final int ENDED = 3;

  private static final Duration LOOK = Duration.ofMillis(200);

  private final PciAddress address;
  private final IommuPolicy policy;
  private final int mebibytes;
  private final long seed;
  private final boolean isEndless;
  private final Kernel kernel = LinuxKernel.instance();

  private NvmeWorkload(
      PciAddress address, IommuPolicy policy, int mebibytes, long seed, boolean isEndless) {
    this.address = address;
    this.policy = policy;
    this.mebibytes = mebibytes;
    this.seed = seed;
    this.isEndless = isEndless;
  }

  /** The program. */
  public static void main(String[] arguments) throws Exception {
    var policy = IommuPolicy.automatic();
    int mebibytes = 1024;
    long seed = 1;
    boolean isEndless = false;
    int i = 0;
    for (; i < arguments.length - 1; i++) {
      switch (arguments[i]) {
        case "--iommu" -> policy = IommuPolicy.require(IommuType.of(arguments[++i]));
        case "--mib" -> mebibytes = Integer.parseInt(arguments[++i]);
        case "--seed" -> seed = Long.parseLong(arguments[++i]);
        case "--endless" -> isEndless = true;
        default -> throw new IllegalArgumentException("unknown option: " + arguments[i]);
      }
    }
    var workload =
        new NvmeWorkload(PciAddress.parse(arguments[i]), policy, mebibytes, seed, isEndless);
    System.exit(workload.run());
  }

  private int run() throws Exception {
    var before = held();
    var requests = new Semaphore(0);
    try (var device = VfioHost.local().open(address, policy);
        var controller = open(device, isEndless ? requests::release : null)) {
      var namespace = controller.namespace(1);
      if (namespace.blockSize() != WorkloadPlan.BLOCK) {
        throw new IllegalStateException("blocks of " + namespace.blockSize() + " bytes");
      }
      var plan = new WorkloadPlan(seed, FIRST_BLOCK, mebibytes * BLOCKS_PER_MIB);
      say("device", device.name());
      say("iommu", device.dmaSpace().type());
      say("serial", controller.identify().serial());
      say("seed", seed);
      say("first", plan.firstBlock());
      say("blocks", plan.blockCount());
      say("queues", QUEUES);
      var queues = queues(device, controller, namespace, plan);
      if (isEndless) {
        untilTakenAway(requests, controller, queues, plan);
      } else {
        writeAndRead(namespace, queues, plan);
      }
    }
    if (!isEndless) {
      return 0;
    }
    var left = held();
    before.forEach(left::remove);
    say("left", left.isEmpty() ? "nothing" : left);
    return ENDED;
  }

  private static NvmeController open(VfioDevice device, @Nullable Runnable onReleaseRequest) {
    return NvmeController.open(
        device,
        NvmeOptions.defaults()
            .withQueueEntries(ENTRIES)
            .withCompletionMode(NvmeCompletionMode.INTERRUPTS)
            .withOnReleaseRequest(onReleaseRequest));
  }

  private static List<WorkloadQueue> queues(
      VfioDevice device, NvmeController controller, NvmeNamespace namespace, WorkloadPlan plan) {
    var queues = new ArrayList<WorkloadQueue>();
    for (int i = 0; i < QUEUES; i++) {
      var queue = controller.openQueue();
      long bytes = Math.min(LARGEST_COMMAND, queue.maxTransferBytes());
      // Closed with the device's space, after the controller.
      var buffer = device.dmaSpace().allocate(bytes * WorkloadQueue.DEPTH);
      queues.add(new WorkloadQueue(queue, namespace, buffer, plan));
    }
    return queues;
  }

  private void writeAndRead(NvmeNamespace namespace, List<WorkloadQueue> queues, WorkloadPlan plan)
      throws InterruptedException {
    var before = interrupts();
    long written = pass("write", WRITING, queues, plan);
    long begin = System.nanoTime();
    namespace.flush();
    say("flush-ms", (System.nanoTime() - begin) / 1_000_000);
    long read = pass("read", READING, queues, plan);
    say("checksum-written", "%016x".formatted(written));
    say("checksum-read", "%016x".formatted(read));
    say("commands", queues.stream().mapToLong(WorkloadQueue::commands).sum());
    say("split", queues.stream().mapToLong(WorkloadQueue::split).sum());
    say("deepest", queues.stream().mapToInt(WorkloadQueue::deepest).min().orElseThrow());
    var taken = interrupts();
    for (int vector = 0; vector < taken.size() && vector < before.size(); vector++) {
      taken.set(vector, taken.get(vector) - before.get(vector));
    }
    say("interrupts", taken);
    if (written != read) {
      throw new IllegalStateException("what was read is not what was written");
    }
  }

  /** All threads go through the region once; returns the checksum of what they transferred. */
  private static long pass(String name, int round, List<WorkloadQueue> queues, WorkloadPlan plan)
      throws InterruptedException {
    var requests = plan.requests(round);
    long bytes = queues.stream().mapToLong(WorkloadQueue::bytes).sum();
    long commands = queues.stream().mapToLong(WorkloadQueue::commands).sum();
    long heap = usedHeap();
    long begin = System.nanoTime();
    var workers = new ArrayList<Worker>();
    for (int i = 0; i < queues.size(); i++) {
      int first = i;
      var queue = queues.get(i);
      workers.add(
          new Worker(
              queue, () -> queue.run(plan, round == READING, requests, first, queues.size())));
    }
    for (var worker : workers) {
      worker.join();
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    heap = usedHeap() - heap;
    for (var worker : workers) {
      worker.rethrow();
    }
    bytes = queues.stream().mapToLong(WorkloadQueue::bytes).sum() - bytes;
    commands = queues.stream().mapToLong(WorkloadQueue::commands).sum() - commands;
    say(name + "-requests", requests.length);
    say(name + "-bytes", bytes);
    say(name + "-seconds", "%.1f".formatted(seconds));
    say(name + "-iops", "%.0f".formatted(commands / seconds));
    say(name + "-mb-per-second", "%.1f".formatted(bytes / seconds / 1e6));
    say(name + "-heap-bytes-per-command", "%.2f".formatted((double) heap / commands));
    return queues.stream().mapToLong(WorkloadQueue::checksum).sum();
  }

  /** I/O until the first failure, or until the host wants the device back. */
  private static void untilTakenAway(
      Semaphore requests, NvmeController controller, List<WorkloadQueue> queues, WorkloadPlan plan)
      throws InterruptedException {
    var workers = new ArrayList<Worker>();
    int blocks = plan.blockCount() / queues.size();
    for (int i = 0; i < queues.size(); i++) {
      var part = new WorkloadPlan(plan.seed(), plan.firstBlock() + (long) i * blocks, blocks);
      var queue = queues.get(i);
      workers.add(new Worker(queue, () -> goOn(queue, part)));
    }
    while (queues.stream().anyMatch(queue -> queue.deepest() == 0)) {
      Thread.sleep(LOOK);
    }
    say("running", ProcessHandle.current().pid());
    boolean isAsked = false;
    while (!isAsked && workers.stream().allMatch(Worker::isAlive)) {
      isAsked = requests.tryAcquire(LOOK.toMillis(), TimeUnit.MILLISECONDS);
    }
    long begin = System.nanoTime();
    say("release-request", (isAsked ? 1 : 0) + requests.drainPermits());
    controller.close();
    for (var worker : workers) {
      worker.join();
    }
    say("ended-after-ms", (System.nanoTime() - begin) / 1_000_000);
    for (var worker : workers) {
      say("ended-commands", worker.queue.ended());
      say("ended-by", worker.failure());
    }
  }

  private static void goOn(WorkloadQueue queue, WorkloadPlan part) {
    var writes = part.requests(WRITING);
    var reads = part.requests(READING);
    while (true) {
      queue.run(part, false, writes, 0, 1);
      queue.run(part, true, reads, 0, 1);
    }
  }

  /** A thread that keeps what ended it. */
  private static final class Worker {
    private final WorkloadQueue queue;
    private final Thread thread;
    private volatile @Nullable Throwable failure;

    Worker(WorkloadQueue queue, Runnable work) {
      this.queue = queue;
      thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      work.run();
                    } catch (RuntimeException | Error e) {
                      failure = e;
                    }
                  });
    }

    boolean isAlive() {
      return thread.isAlive();
    }

    void join() throws InterruptedException {
      thread.join();
    }

    String failure() {
      return String.valueOf(failure).replace('\n', ' ');
    }

    void rethrow() {
      if (failure != null) {
        throw new IllegalStateException(failure);
      }
    }
  }

  /** How often each of the device's vectors was signalled, as the kernel has counted. */
  private List<Long> interrupts() {
    var line = Pattern.compile(" *\\d+:(( +\\d+)+) .*vfio-msix?\\[\\d+]\\(" + address + "\\).*");
    try (var lines = Files.lines(Path.of("/proc/interrupts"))) {
      return lines
          .map(line::matcher)
          .filter(Matcher::matches)
          .map(matcher -> sum(matcher.group(1)))
          .collect(toCollection(ArrayList::new));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long sum(String counts) {
    return Arrays.stream(counts.strip().split(" +", -1)).mapToLong(Long::parseLong).sum();
  }

  /** What this process holds of the kernel that could be left behind. */
  private List<String> held() throws ErrnoException, IOException {
    var held = new ArrayList<String>();
    for (var fd : kernel.list("/proc/self/fd")) {
      var path = Path.of("/proc/self/fd", fd);
      if (Files.isSymbolicLink(path)) {
        var file = Files.readSymbolicLink(path).toString();
        if (isOfVfio(file) || file.startsWith("anon_inode")) {
          held.add(file);
        }
      }
    }
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      lines.filter(NvmeWorkload::isOfVfio).forEach(held::add);
    }
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      lines
          .filter(line -> line.startsWith("VmLck") || line.startsWith("VmPin"))
          .map(line -> line.replaceAll("\\s+", " "))
          .forEach(held::add);
    }
    return held;
  }

  private static boolean isOfVfio(String name) {
    return name.contains("/dev/vfio") || name.contains("/dev/iommu") || name.contains("[vfio");
  }

  private static long usedHeap() {
    var runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }

  private static void say(String name, Object value) {
    System.out.println(String.format(Locale.ROOT, "%s %s", name, value));
    System.out.flush();
  }
}
