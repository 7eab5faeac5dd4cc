// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * {@code ServedReport LANE DIRECTORY}: judges what a guest did with devices that were served to it,
 * and what was found outside of it. Exit status 0 when all is as it should be, 1 otherwise.
 */
public final class ServedReport extends StepReport {
  private static final List<String> LANES =
      List.of(
          "qemu-boot-bios",
          "qemu-boot-uboot",
          "qemu-boot-uefi",
          "qemu-edu",
          "qemu-gpio",
          "qemu-nvme",
          "qemu-nvme-lost");
  private static final String WRITTEN_FILES = "16";
  private static final int FLUSHED_FILES = 10;

  /** As in the lane. */
  private static final int CLIENT_DEPTH = 8;

  private static final Pattern INTERRUPTS = Pattern.compile("\\s*\\d+:\\s+(\\d+) .*nvme\\dq1");
  private static final Pattern CHIP = Pattern.compile("gpiochip0 \\[.*] \\(32 lines\\)");

  private ServedReport(String lane, Path directory) {
    super(lane, directory);
  }

  /** The program. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 2 || !LANES.contains(arguments[0])) {
      System.err.println("usage: ServedReport LANE DIRECTORY");
      System.err.println("lanes: " + String.join(" ", LANES));
      System.exit(2);
    }
    System.exit(report(arguments[0], Path.of(arguments[1]), System.out) ? 0 : 1);
  }

  /** Prints the report; true when every check holds. */
  static boolean report(String lane, Path directory, PrintStream out) throws IOException {
    var report = new ServedReport(lane, directory);
    switch (lane) {
      case "qemu-nvme" -> {
        report.checkDisks();
        report.checkPlugs();
        report.checkClient();
      }
      case "qemu-nvme-lost" -> {
        report.checkDisks();
        report.checkLost();
        report.checkClient();
      }
      case "qemu-boot-bios" -> {
        report.checkBoot("SeaBIOS", "grub");
        report.checkReboot();
      }
      case "qemu-boot-uefi" -> {
        report.checkBoot("OVMF|EDK II", "grub");
        report.checkReboot();
      }
      case "qemu-boot-uboot" -> report.checkBoot("U-Boot", "u-boot");
      case "qemu-gpio" -> report.checkLines();
      case "qemu-edu" -> {
        report.checkEdu("edu-iommufd", "iommufd");
        report.checkEdu("edu-type1", "type1v2");
      }
      default -> throw new IllegalArgumentException("no such lane: " + lane);
    }
    report.checkMessages();
    return report.print(out);
  }

  /** What a step printed; empty when it did not run, which is a check that fails. */
  private String text(String step) throws IOException {
    return output(step).orElse("");
  }

  private String statusOf(String step) throws IOException {
    return Files.exists(directory.resolve(step + ".rc")) ? status(step) : "none";
  }

  private void checkDisks() throws IOException {
    var found = text("disk-found");
    var controllers = figures(found, "controller");
    check(
        statusOf("disk-found").equals("0")
            && controllers.size() == 2
            && controllers.stream().allMatch(controller -> controller.contains(" nvme, ")),
        "disk-found: the kernel's driver",
        String.join("; ", controllers));
    var counts = found.lines().map(INTERRUPTS::matcher).filter(m -> m.matches()).toList();
    check(
        counts.size() == 2 && counts.stream().noneMatch(count -> count.group(1).equals("0")),
        "disk-found: interrupts",
        counts.stream().map(count -> count.group(1)).toList() + " of the first queues");

    var written = text("disk-write");
    var checksum = figure(written, "checksum");
    check(
        statusOf("disk-write").equals("0") && figure(written, "files").equals(WRITTEN_FILES),
        "disk-write",
        "%s files in %s ms, checksum %s, status %s"
            .formatted(
                figure(written, "files"),
                figure(written, "milliseconds"),
                checksum,
                statusOf("disk-write")));
    checkReboot();
    checkFiles("disk-read", checksum);
    check(
        statusOf("disk-fsck").equals("0"),
        "disk-fsck",
        "e2fsck -fn of the image: status " + statusOf("disk-fsck"));
    checkFiles("disk-content", checksum);
  }

  private void checkReboot() throws IOException {
    check(
        text("reboot").startsWith("in another boot"),
        "reboot",
        "the second boot found the file system of the first");
  }

  private void checkBoot(String firmware, String loader) throws IOException {
    var found = text("boot-found");
    check(
        Pattern.compile(firmware).matcher(figure(found, "firmware")).find()
            && figure(found, "loader").equals(loader),
        "boot-found: by a firmware",
        "%s, %s".formatted(figure(found, "firmware"), figure(found, "loader")));
    var controllers = figures(found, "controller");
    check(
        statusOf("boot-found").equals("0")
            && controllers.size() == 2
            && controllers.stream().allMatch(controller -> controller.contains(" nvme, ")),
        "boot-found: both disks",
        String.join("; ", controllers));
    var read = text("boot-read").lines().toList();
    check(
        statusOf("boot-write").equals("0")
            && statusOf("boot-read").equals("0")
            && read.equals(List.of("file: OK", "part: OK")),
        "boot-read: as written",
        String.join(", ", read));
  }

  private void checkFiles(String step, String checksum) throws IOException {
    var read = text(step);
    check(
        statusOf(step).equals("0")
            && figure(read, "files").equals(WRITTEN_FILES)
            && figure(read, "files-different").equals("0")
            && !checksum.isEmpty()
            && figure(read, "checksum").equals(checksum),
        step + ": as written",
        "%s files, %s different, checksum %s, in %s ms"
            .formatted(
                figure(read, "files"),
                figure(read, "files-different"),
                figure(read, "checksum"),
                figure(read, "milliseconds")));
  }

  /** A disk that comes and goes keeps its data, and its server keeps nothing of who has gone. */
  private void checkPlugs() throws IOException {
    var plugs = text("disk-plug");
    var count = figure(plugs, "plugs").split(" of ", -1);
    var kept = figure(plugs, "kept");
    var messages = figure(plugs, "messages");
    check(
        statusOf("disk-plug").equals("0")
            && count.length == 2
            && count[0].equals(count[1])
            && kept.equals(Integer.toString(Integer.parseInt(count[0]) - 1))
            && messages.matches("[1-9]\\d*"),
        "disk-plug",
        "%s plugs and unplugs, data found again %s times, %s messages in the last"
            .formatted(figure(plugs, "plugs"), kept, messages));
    var file = directory.resolve("footprint-plugged.out");
    var footprints = Files.exists(file) ? Files.readAllLines(file) : List.<String>of();
    boolean isFlat = footprints.size() == 2;
    if (isFlat) {
      var before = Footprint.read(footprints.getFirst());
      var after = Footprint.read(footprints.getLast());
      isFlat = after.mapped == 0 && after.isLike(before);
    }
    check(isFlat, "disk-plug: the server", String.join("; then ", footprints));
  }

  /** What a server has between two clients; memory in KiB. */
  private record Footprint(int descriptors, int threads, int mapped, int memory) {
    private static final Pattern LINE =
        Pattern.compile(
            "descriptors (\\d+), threads (\\d+), mapped (\\d+), live (\\d+), arenas (\\d+), .*");

    /** What may come and go with the JVM's own doings. */
    private static final int TOLERANCE = 128;

    static Footprint read(String line) {
      var parts = LINE.matcher(line);
      return parts.matches()
          ? new Footprint(
              Integer.parseInt(parts.group(1)),
              Integer.parseInt(parts.group(2)),
              Integer.parseInt(parts.group(3)),
              Integer.parseInt(parts.group(4)) + Integer.parseInt(parts.group(5)))
          : new Footprint(0, 0, -1, 0);
    }

    boolean isLike(Footprint before) {
      return descriptors == before.descriptors
          && threads == before.threads
          && memory <= before.memory + TOLERANCE;
    }
  }

  /** The contract for a guest whose server is killed. */
  private void checkLost() throws IOException {
    var lost = text("disk-lost");
    int flushed = figures(lost, "file").size();
    check(
        figure(lost, "status").equals("3")
            && flushed >= FLUSHED_FILES
            && figure(lost, "ended-by").contains("IOException"),
        "disk-lost: I/O errors",
        "after %d flushed files, within %s s: %s"
            .formatted(flushed, figure(lost, "seconds"), figure(lost, "ended-by")));
    check(
        figure(lost, "again").equals("0"),
        "disk-lost: the guest goes on",
        "files on the other controller: status %s; left: %s"
            .formatted(figure(lost, "again"), String.join("; ", figures(lost, "left"))));
    check(
        Set.of("0", "1").contains(statusOf("lost-repair")),
        "lost-repair",
        "e2fsck -fy: status " + statusOf("lost-repair"));
    check(
        statusOf("lost-fsck").equals("0"),
        "lost-fsck",
        "e2fsck -fn: status " + statusOf("lost-fsck"));
    var content = text("lost-content");
    check(
        statusOf("lost-content").equals("0")
            && figure(content, "files").equals(Integer.toString(flushed))
            && figure(content, "files-different").equals("0"),
        "lost-content: what was flushed",
        "%s files, %s different"
            .formatted(figure(content, "files"), figure(content, "files-different")));
  }

  /** The contract for jvfio's own client whose server is killed and comes back. */
  private void checkClient() throws IOException {
    var bench = document("client-reconnects");
    if (bench.isEmpty()) {
      return;
    }
    var errors = directory.resolve("client-reconnects.err");
    boolean again = Files.exists(errors) && Files.readString(errors).contains("connected again");
    var verified = bench.get().at("verified");
    var failed = bench.get().at("errors").elements();
    check(
        statusOf("client-reconnects").equals(failed.isEmpty() ? "0" : "1")
            && failed.stream().allMatch(ServedReport::isInFlight)
            && again
            && verified.at("wrong").text().equals("0")
            && !bench.get().at("ios").text().equals("0"),
        "client-reconnects",
        "%s writes, %s blocks verified, %s wrong, %s; failed: %s"
            .formatted(
                bench.get().at("ios").text(),
                verified.at("blocks").text(),
                verified.at("wrong").text(),
                again ? "connected again" : "never connected again",
                failed.stream()
                    .map(each -> each.at("count").text() + " " + each.at("name").text())
                    .toList()));
  }

  /** What was in flight when the server was killed fails, by the contract; nothing else may. */
  private static boolean isInFlight(Document error) {
    return error.at("name").text().equals("Command Aborted By Host")
        && Long.parseLong(error.at("count").text()) <= CLIENT_DEPTH;
  }

  private void checkLines() throws IOException {
    var found = text("gpio-found");
    check(
        figure(found, "card").endsWith(" pci-idio-16") && CHIP.matcher(found).find(),
        "gpio-found: the kernel's driver",
        figure(found, "card"));
    text("gpio-output");
    var printed = directory.resolve("served-gpio.out");
    var seen = Files.exists(printed) ? Files.readAllLines(printed) : List.<String>of();
    check(
        statusOf("gpio-output").equals("0") && inOrder(seen, List.of("3=1", "15=1", "3=0")),
        "gpio-output: seen by the server",
        seen.toString());
    var input = text("gpio-input");
    check(
        figure(input, "before").equals("0 0") && figure(input, "after").equals("0 1"),
        "gpio-input: seen by the guest",
        "lines 1 and 2: %s, then %s".formatted(figure(input, "before"), figure(input, "after")));
    var edges = figures(text("gpio-edge"), "edge");
    check(
        statusOf("gpio-edge").equals("0") && edges.equals(List.of("21 rising", "21 falling")),
        "gpio-edge: interrupts",
        edges.toString());
  }

  private static boolean inOrder(List<String> lines, List<String> wanted) {
    var rest = lines.iterator();
    for (var line : wanted) {
      boolean found = false;
      while (!found && rest.hasNext()) {
        found = rest.next().equals(line);
      }
      if (!found) {
        return false;
      }
    }
    return true;
  }

  private void checkEdu(String step, String iommu) throws IOException {
    var text = text(step);
    check(
        statusOf(step).equals("0")
            && figure(text, "iommu").equals(iommu)
            && !text.contains("WRONG"),
        step + ": the device",
        "%s through %s".formatted(figure(text, "identity"), figure(text, "iommu")));
    var rounds = Integer.toString(EduCheck.ROUNDS);
    for (var way : List.of("message", "line")) {
      check(
          figure(text, "factorials-by-" + way).equals(rounds)
              && figure(text, "interrupts-by-" + way).equals(rounds)
              && figure(text, "copies-by-" + way).equals(rounds),
          "%s: by %s".formatted(step, way),
          "%s factorials and %s copies there and back, at %s"
              .formatted(
                  figure(text, "factorials-by-" + way),
                  figure(text, "copies-by-" + way),
                  figure(text, "copied-at")));
    }
  }
}
