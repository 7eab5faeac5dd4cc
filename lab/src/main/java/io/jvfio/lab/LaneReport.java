// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static java.util.stream.Collectors.joining;

import io.jvfio.cli.Main;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code LaneReport LANE DIRECTORY}: judges what the steps of a lane said, each in {@code STEP.out}
 * with its exit status in {@code STEP.rc}, and prints a table of checks with their evidence. Exit
 * status 0 when all hold, 1 otherwise.
 */
public final class LaneReport extends StepReport {
  /** What every thread is told whose I/O was ended since the host wants its device back. */
  private static final String LEAVING = "the device is leaving its driver";

  private static final String VERIFIED_BYTES = "67108864";
  private static final String VERIFIED_WITHOUT_IOMMU = "4194304";
  private static final String LANE_WITH_NO_IOMMU = "x86-6.12-iommufd";
  private static final String LANE_WITH_BOTH_VERSIONS = "pseries-6.12";
  private static final String WORKLOAD_BLOCKS = "2097152";
  private static final int WORKLOAD_QUEUES = 4;
  private static final String WORKLOAD_DEPTH = "64";
  private static final String KILLED = "137";

  /** The driver's own time-out; what is in flight must have ended by then. */
  private static final long LONGEST_END_MILLIS = 30_000;

  private static final String CONTROLLER = "0x010802";
  private static final int MINIMUM_CALLS = 400;
  private static final int MINIMUM_GENERATED_CALLS = 5000;
  private static final int SHOWN_DIFFERENCES = 400;
  private static final Pattern DEVICE_WRITE =
      Pattern.compile("IOVA 0x([0-9a-f]+): (\\p{XDigit}{16}), then (?!\\2)\\p{XDigit}{16}");
  private static final int DEVICE_WRITES = 3;
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final String NO_WINDOWS = "The hypervisor offers no Dynamic DMA Windows";
  private static final Pattern POISON = Pattern.compile("failed DDW|Failed to|ddw-applicable");

  /** What the lane is about. */
  private record Expectation(Optional<String> chosen, Optional<Refusal> refusal) {}

  /** An attempt that must have failed in one way. */
  private record Refusal(String type, String reached, String outcome, String errno) {}

  private static Expectation expectation(String lane) {
    return switch (lane) {
      case "pseries-5.10" ->
          new Expectation(
              Optional.of("spapr-tce"),
              Optional.of(new Refusal("spapr-tce-v2", "accepted", "refused", "EPERM")));
      case "pseries-6.12" -> new Expectation(Optional.of("spapr-tce-v2"), Optional.empty());
      case "pseries-6.12-noddw" -> new Expectation(Optional.empty(), Optional.empty());
      case "x86-6.12" -> new Expectation(Optional.of("type1v2"), Optional.empty());
      case "x86-6.12-iommufd" -> new Expectation(Optional.of("iommufd"), Optional.empty());
      default ->
          throw new IllegalArgumentException(
              "no such lane: " + lane + "; there are " + Suite.LANES);
    };
  }

  /** How many NVMe controllers the lane has; two of them are in groups of their own. */
  private static int controllers(String lane) {
    return lane.equals("x86-6.12-iommufd") ? 3 : 2;
  }

  private final Expectation expectation;

  private LaneReport(String lane, Path directory) {
    super(lane, directory);
    this.expectation = expectation(lane);
  }

  /** The program. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 2 || !Suite.LANES.contains(arguments[0])) {
      System.err.println("usage: LaneReport LANE DIRECTORY");
      System.err.println("lanes: " + String.join(" ", Suite.LANES));
      System.exit(2);
    }
    System.exit(report(arguments[0], Path.of(arguments[1]), System.out) ? 0 : 1);
  }

  /** Prints the report; true when every check holds. */
  static boolean report(String lane, Path directory, PrintStream out) throws IOException {
    var report = new LaneReport(lane, directory);
    report.checkList();
    report.checkProbe();
    report.checkProbeText();
    report.checkRecorded();
    if (report.expectation.chosen().isPresent()) {
      report.checkRoundTrip("nvme", report.expectation.chosen().get(), VERIFIED_BYTES);
      if (lane.equals(LANE_WITH_NO_IOMMU)) {
        report.checkRoundTrip("nvme-noiommu", "noiommu", VERIFIED_WITHOUT_IOMMU);
      }
      report.checkTakenAway();
      report.checkKilled();
      report.checkWorkload("nvme-io", report.expectation.chosen().get());
      if (lane.equals(LANE_WITH_BOTH_VERSIONS)) {
        report.checkWorkload("nvme-io-spapr-tce", "spapr-tce");
      }
      report.checkExample();
    } else {
      report.checkExampleRefused();
      report.checkUnpoisoned();
    }
    report.checkConformance("conformance", MINIMUM_CALLS, MINIMUM_GENERATED_CALLS);
    report.checkConformance("conformance-unprivileged", 1, 1);
    report.checkMessages();
    return report.print(out);
  }

  private void checkList() throws IOException {
    var document = document("list");
    if (document.isEmpty()) {
      return;
    }
    var controllers =
        document.get().at("devices").elements().stream()
            .filter(device -> device.at("class").text().equals(CONTROLLER))
            .toList();
    boolean bound =
        controllers.stream()
            .allMatch(
                device ->
                    device.at("driver").text().equals("vfio-pci")
                        && device.at("viable").text().equals("true"));
    check(
        controllers.size() == controllers(lane) && bound && status("list").equals("0"),
        "list: controllers",
        controllers.stream()
            .map(
                device ->
                    "%s driver %s group %s"
                        .formatted(
                            device.at("address").text(),
                            device.at("driver").text(),
                            device.at("group").text()))
            .collect(joining(", ")));
  }

  private void checkProbe() throws IOException {
    var document = document("probe");
    if (document.isEmpty()) {
      return;
    }
    var groups = document.get().at("groups").elements();
    var chosen = expectation.chosen();
    var status = chosen.isPresent() ? "0" : "1";
    check(
        groups.size() == 2
            && groups.stream()
                .allMatch(group -> group.at("chosen").text().equals(chosen.orElse("null")))
            && status("probe").equals(status),
        "probe: chosen",
        groups.stream()
                .map(
                    group ->
                        "group %s: %s".formatted(group.at("id").text(), group.at("chosen").text()))
                .collect(joining(", "))
            + ", status "
            + status("probe"));

    if (expectation.refusal().isPresent()) {
      checkRefusal(groups, expectation.refusal().get());
    }
    var real = negotiations(document.get());
    var simulated = negotiations(simulatedProbe());
    check(
        !real.isEmpty() && real.equals(simulated),
        "probe: as the simulator",
        real.equals(simulated)
            ? real.stream().map(attempts -> attempts.split("; ", -1).length).toList()
                + " attempts in each group, all equal"
            : "kernel " + real + ", simulator " + simulated);
  }

  private void checkRefusal(List<Document> groups, Refusal refusal) {
    var attempts =
        groups.stream()
            .flatMap(group -> group.at("attempts").elements().stream())
            .filter(attempt -> attempt.at("type").text().equals(refusal.type()))
            .toList();
    check(
        attempts.size() == groups.size()
            && attempts.stream()
                .allMatch(
                    attempt ->
                        attempt.at("advertised").text().equals("true")
                            && attempt.at("reached").text().equals(refusal.reached())
                            && attempt.at("outcome").text().equals(refusal.outcome())
                            && attempt.at("errno").text().equals(refusal.errno())),
        "probe: " + refusal.type(),
        attempts.stream()
            .map(
                attempt ->
                    "advertised and %s at \"%s\": %s %s"
                        .formatted(
                            attempt.at("outcome").text(),
                            attempt.at("reached").text(),
                            attempt.at("call").text(),
                            attempt.at("errno").text()))
            .distinct()
            .collect(joining(", ")));
  }

  /** The different negotiations of a probe: what was tried, what came of it, what was chosen. */
  private static Set<String> negotiations(Document probe) {
    var negotiations = new TreeSet<String>();
    for (var group : probe.at("groups").elements()) {
      negotiations.add(
          group.at("attempts").elements().stream()
                  .map(
                      attempt ->
                          List.of("type", "advertised", "reached", "outcome", "call", "errno")
                              .stream()
                              .map(member -> attempt.at(member).text())
                              .collect(joining(" ")))
                  .collect(joining("; "))
              + " -> "
              + group.at("chosen").text());
    }
    return negotiations;
  }

  private Document simulatedProbe() {
    var out = new StringWriter();
    var err = new StringWriter();
    Main.run(
        new PrintWriter(out), new PrintWriter(err), "--host", "sim:" + lane, "--json", "probe");
    return Document.parse(out.toString());
  }

  private void checkProbeText() throws IOException {
    var text = output("probe-text");
    if (text.isEmpty()) {
      return;
    }
    var words =
        expectation.refusal().isPresent()
            ? List.of(
                expectation.refusal().get().type(),
                expectation.refusal().get().errno(),
                expectation.chosen().orElse(""))
            : List.of(expectation.chosen().orElse("Dynamic DMA Windows"));
    var missing = words.stream().filter(word -> !text.get().contains(word)).toList();
    check(
        missing.isEmpty()
            && status("probe-text").equals(expectation.chosen().isPresent() ? "0" : "1"),
        "probe: text",
        (missing.isEmpty() ? "names " + words : "lacks " + missing)
            + ", status "
            + status("probe-text"));
  }

  /** A recording that the guest has made of itself negotiates as the guest's kernel does. */
  private void checkRecorded() throws IOException {
    var probe = document("probe");
    var recorded = document("recorded");
    if (probe.isEmpty() || recorded.isEmpty()) {
      return;
    }
    var real = negotiations(probe.get());
    var again = negotiations(recorded.get());
    check(
        real.equals(again) && status("recorded").equals(status("probe")),
        "recorded: as the kernel",
        real.equals(again)
            ? "%d different negotiations, all equal".formatted(real.size())
            : "kernel " + real + ", its recording " + again);
  }

  private void checkRoundTrip(String step, String type, String byteSize) throws IOException {
    var document = document(step);
    if (document.isEmpty()) {
      return;
    }
    var bytes = document.get().at("bytesVerified").text();
    var iommu = document.get().at("iommu").text();
    check(
        bytes.equals(byteSize) && iommu.equals(type) && status(step).equals("0"),
        step + ": written and read back",
        "%s bytes verified on %s through %s"
            .formatted(bytes, document.get().at("controller").at("serial").text(), iommu));
  }

  /** 1 GiB by four queues and their interrupts: in the guest, and on the disk after its end. */
  private void checkWorkload(String step, String type) throws IOException {
    var output = output(step);
    var disk = output(step + "-disk");
    if (output.isEmpty() || disk.isEmpty()) {
      return;
    }
    var text = output.get();
    var written = figure(text, "checksum-written");
    var read = figure(text, "checksum-read");
    check(
        status(step).equals("0")
            && figure(text, "iommu").equals(type)
            && figure(text, "blocks").equals(WORKLOAD_BLOCKS)
            && figure(text, "queues").equals(Integer.toString(WORKLOAD_QUEUES))
            && figure(text, "deepest").equals(WORKLOAD_DEPTH)
            && !written.isEmpty()
            && read.equals(written),
        step + ": written and read back",
        "%s commands on %s queues, %s deep, through %s; %s MB/s, %s MB/s; checksums %s, %s; status %s"
            .formatted(
                figure(text, "commands"),
                figure(text, "queues"),
                figure(text, "deepest"),
                figure(text, "iommu"),
                figure(text, "write-mb-per-second"),
                figure(text, "read-mb-per-second"),
                written,
                read,
                status(step)));
    var interrupts = figure(text, "interrupts");
    check(
        NUMBER.matcher(interrupts).results().filter(count -> !count.group().equals("0")).count()
            >= WORKLOAD_QUEUES,
        step + ": interrupts",
        "by vector " + interrupts);
    var found = figure(disk.get(), "checksum");
    check(
        status(step + "-disk").equals("0")
            && figure(disk.get(), "blocks").equals(WORKLOAD_BLOCKS)
            && !found.isEmpty()
            && found.equals(written),
        step + ": on the disk",
        "%s blocks after power-off, checksum %s, first different %s"
            .formatted(figure(disk.get(), "blocks"), found, figure(disk.get(), "different")));
  }

  /** The device was unbound while it was in use. */
  private void checkTakenAway() throws IOException {
    var output = output("nvme-unbind");
    if (output.isEmpty()) {
      return;
    }
    var text = output.get();
    var errors = figures(text, "ended-by");
    var commands = figures(text, "ended-commands").stream().mapToLong(Long::parseLong).sum();
    var millis = figure(text, "ended-after-ms");
    check(
        figure(text, "status").equals(Integer.toString(NvmeWorkload.ENDED))
            && Set.of("1", "2").contains(figure(text, "release-request"))
            && errors.size() == WORKLOAD_QUEUES
            && errors.stream().allMatch(error -> error.contains(LEAVING))
            && commands > 0
            && !millis.isEmpty()
            && Long.parseLong(millis) <= LONGEST_END_MILLIS,
        "nvme-unbind: I/O ended",
        "%d commands, within %s ms, by %s; status %s"
            .formatted(
                commands,
                millis,
                errors.isEmpty() ? "nothing" : errors.getFirst(),
                figure(text, "status")));
    check(
        figure(text, "left").equals("nothing")
            && figure(text, "bound-to").isEmpty()
            && figure(text, "again").equals("0"),
        "nvme-unbind: given back",
        "left %s; unbound after %s s; used again: status %s"
            .formatted(
                figure(text, "left"),
                figure(text, "unbound-after-seconds"),
                figure(text, "again")));
  }

  /** The program was killed while it used the device. */
  private void checkKilled() throws IOException {
    var output = output("nvme-kill");
    if (output.isEmpty()) {
      return;
    }
    var text = output.get();
    check(
        figure(text, "status").equals(KILLED)
            && !figure(text, "running").isEmpty()
            && figure(text, "again").equals("0"),
        "nvme-kill: used again",
        "killed: status %s; used again: status %s"
            .formatted(figure(text, "status"), figure(text, "again")));
  }

  private void checkExample() throws IOException {
    var output = output("example");
    if (output.isEmpty()) {
      return;
    }
    var iommu = "IOMMU " + expectation.chosen().orElse("") + ":";
    var writes = output.get().lines().map(DEVICE_WRITE::matcher).filter(Matcher::matches).toList();
    check(
        output.get().contains(iommu)
            && writes.size() == DEVICE_WRITES
            && status("example").equals("0"),
        "example: the device wrote",
        "%s, %s, status %s"
            .formatted(
                output.get().contains(iommu) ? iommu : "no " + iommu,
                writes.stream().map(write -> "0x" + write.group(1)).toList(),
                status("example")));
  }

  private void checkExampleRefused() throws IOException {
    var output = output("example-refused");
    if (output.isEmpty()) {
      return;
    }
    boolean told = output.get().contains(NO_WINDOWS);
    check(
        told && status("example-refused").equals("1"),
        "example: refused",
        (told ? NO_WINDOWS : "says nothing of windows") + ", status " + status("example-refused"));
  }

  private void checkUnpoisoned() throws IOException {
    var messages = output("dmesg-after-probe");
    if (messages.isEmpty()) {
      return;
    }
    var poison = messages.get().lines().filter(line -> POISON.matcher(line).find()).toList();
    check(
        poison.isEmpty(),
        "probe: device not poisoned",
        poison.isEmpty() ? "no such message in dmesg" : String.join(" / ", poison));
  }

  private void checkConformance(String step, int minimum, int generatedMinimum) throws IOException {
    var output = output(step);
    if (output.isEmpty()) {
      return;
    }
    var text = output.get();
    var calls = figure(text, "calls");
    var differences = figure(text, "differences");
    check(
        !calls.isEmpty() && differences.equals("0") && Integer.parseInt(calls) >= minimum,
        step,
        calls.isEmpty()
            ? "status " + status(step) + ", no result"
            : "%s calls of %s sequences compared, %s differences"
                .formatted(calls, figure(text, "sequences"), differences));

    var compared = figure(text, "compared");
    var different = figure(text, "different");
    var alarms = figure(text, "alarms");
    check(
        status(step).equals("0")
            && !compared.isEmpty()
            && different.equals("0")
            && alarms.equals("0")
            && Integer.parseInt(compared) >= generatedMinimum,
        step + ": generated",
        compared.isEmpty()
            ? "status " + status(step) + ", no result"
            : "%s calls of %s sequences compared (seeds %s), %s different, %s alarming"
                .formatted(
                    compared, figure(text, "generated"), figure(text, "seeds"), different, alarms));
    if (!status(step).equals("0")) {
      text.lines()
          .takeWhile(line -> !line.equals(Transcript.BEGIN))
          .limit(SHOWN_DIFFERENCES)
          .forEach(this::detail);
    }
  }
}
