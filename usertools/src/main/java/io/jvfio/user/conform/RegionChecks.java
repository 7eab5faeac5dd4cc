// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.WriteMulti;
import java.util.ArrayList;
import java.util.List;

/** Checks of reads and writes of regions. */
final class RegionChecks {
  private static final String READ = "VFIO_USER_REGION_READ";
  private static final String WRITE = "VFIO_USER_REGION_WRITE";
  private static final String SECURITY = "Security Considerations";

  private RegionChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "region-read",
            "answers reads with what was asked",
            READ,
            "the same offset, region and count, and so many bytes",
            RegionChecks::echo),
        new ConformanceCheck(
            "region-read-whole",
            "reads all of configuration space at once",
            READ,
            "all of its bytes",
            RegionChecks::whole),
        new ConformanceCheck(
            "region-read-unaligned",
            "answers reads that are not aligned",
            READ,
            "the bytes, or an error",
            RegionChecks::unaligned),
        new ConformanceCheck(
            "region-read-bars",
            "answers reads of its BARs",
            READ,
            "so many bytes, or an error where the device has no such register",
            RegionChecks::bars),
        new ConformanceCheck(
            "region-read-zero",
            "answers a read of nothing",
            READ,
            "an error, or a reply with count 0",
            RegionChecks::zero),
        new ConformanceCheck(
            "region-read-past-end",
            "refuses reads past the end of a region",
            SECURITY,
            "an error",
            run -> beyond(run, run.config().size() - 2, 4)),
        new ConformanceCheck(
            "region-read-outside",
            "refuses reads outside of a region",
            SECURITY,
            "an error",
            run -> beyond(run, run.config().size(), 4)),
        new ConformanceCheck(
            "region-read-wrapped",
            "refuses reads that wrap around",
            SECURITY,
            "an error",
            run -> beyond(run, -4, 8)),
        new ConformanceCheck(
            "region-read-large",
            "refuses reads of more than the limit that it told",
            "Message sizes",
            "an error",
            RegionChecks::large),
        new ConformanceCheck(
            "region-read-client-limit",
            "refuses reads of more than the limit that its client told",
            "VFIO_USER_VERSION",
            "an error",
            RegionChecks::clientLimit),
        new ConformanceCheck(
            "region-read-huge",
            "refuses reads of 4 GiB",
            SECURITY,
            "an error",
            run -> beyond(run, 0, -1)),
        new ConformanceCheck(
            "region-index-beyond",
            "refuses accesses to regions that there are not",
            SECURITY,
            "an error",
            RegionChecks::indexBeyond),
        new ConformanceCheck(
            "region-absent",
            "refuses accesses to regions without a size",
            SECURITY,
            "an error",
            RegionChecks::absent),
        new ConformanceCheck(
            "region-write-read-only",
            "refuses writes of regions that may only be read",
            WRITE,
            "an error",
            RegionChecks::readOnly),
        new ConformanceCheck(
            "region-write-zero",
            "answers a write of nothing",
            WRITE,
            "an error, or a reply with count 0",
            RegionChecks::writeZero),
        new ConformanceCheck(
            "region-write-short",
            "refuses writes with less data than they tell of",
            SECURITY,
            "an error",
            run -> wrongCount(run, 4, 2)),
        new ConformanceCheck(
            "region-write-long",
            "refuses writes with more data than they tell of",
            SECURITY,
            "an error",
            run -> wrongCount(run, 1, 4)),
        new ConformanceCheck(
            "region-write-past-end",
            "refuses writes past the end of a region",
            SECURITY,
            "an error",
            RegionChecks::writePastEnd),
        new ConformanceCheck(
            "region-write-bars",
            "takes writes of its BARs",
            WRITE,
            "the same offset, region and count, or an error where the device has no such register",
            RegionChecks::writeBars),
        new ConformanceCheck(
            "region-write-multi-unasked",
            "refuses several writes in one message if it did not tell that it takes them",
            "VFIO_USER_REGION_WRITE_MULTI",
            "an error",
            RegionChecks::multiUnasked));
  }

  private static String echo(ConformanceRun run) {
    var peer = run.open();
    for (int width : new int[] {1, 2, 4, 8}) {
      for (int offset : new int[] {0, width, 0x40 - width}) {
        run.read(peer, run.config().index(), offset, width);
      }
    }
    return "so, of 1, 2, 4 and 8 bytes";
  }

  private static String whole(ConformanceRun run) {
    run.read(run.open(), run.config().index(), 0, (int) run.config().size());
    return MessageText.bytes(run.config().size());
  }

  private static String unaligned(ConformanceRun run) {
    var peer = run.open();
    int region = run.config().index();
    var all = run.read(peer, region, 0, 16);
    var errors = new ArrayList<String>();
    for (int[] access : new int[][] {{1, 2}, {1, 4}, {3, 4}, {3, 3}, {1, 8}}) {
      var reply = peer.call(Command.REGION_READ, Payload.access(access[0], region, access[1]));
      if (reply.isError()) {
        errors.add("%d at %d: %s".formatted(access[1], access[0], reply.outcome()));
        continue;
      }
      var bytes = run.read(peer, region, access[0], access[1]);
      for (int i = 0; i < access[1]; i++) {
        if (bytes[i] != all[access[0] + i]) {
          throw Verdict.failed("other bytes of %d at %d".formatted(access[1], access[0]));
        }
      }
    }
    return errors.isEmpty() ? "the bytes" : String.join(", ", errors);
  }

  private static String bars(ConformanceRun run) {
    var peer = run.open();
    var came = new ArrayList<String>();
    for (var region : run.device().regions()) {
      if (!region.isBar() || !region.isReadable()) {
        continue;
      }
      var widths = new ArrayList<String>();
      for (int width : new int[] {1, 2, 4, 8}) {
        if (width > region.size()) {
          continue;
        }
        var reply = peer.call(Command.REGION_READ, Payload.access(0, region.index(), width));
        if (reply.isError()) {
          widths.add(width + ": " + reply.outcome());
        } else {
          run.read(peer, region.index(), 0, width);
          widths.add(Integer.toString(width));
        }
      }
      came.add("%s by %s".formatted(region.name(), String.join(", ", widths)));
    }
    if (came.isEmpty()) {
      throw Verdict.skipped("no BAR can be read");
    }
    return String.join("; ", came);
  }

  private static String zero(ConformanceRun run) {
    var peer = run.open();
    var reply = peer.call(Command.REGION_READ, Payload.access(0, run.config().index(), 0));
    run.isOfUse(peer, reply.outcome());
    if (reply.isError()) {
      return reply.outcome();
    }
    if (reply.payloadSize() != 16 || reply.get(RegionAccess.COUNT) != 0) {
      throw Verdict.differs("success with a payload of " + MessageText.bytes(reply.payloadSize()));
    }
    return "count 0";
  }

  private static String beyond(ConformanceRun run, long offset, int count) {
    var peer = run.open();
    var came =
        run.refused(peer, Command.REGION_READ, Payload.access(offset, run.config().index(), count));
    run.isOfUse(peer, came);
    return came;
  }

  private static String large(ConformanceRun run) {
    long limit = run.hello().capabilities().maxDataTransfer();
    if (limit >= Integer.MAX_VALUE) {
      throw Verdict.skipped("the limit is " + MessageText.bytes(limit));
    }
    var peer = run.open();
    // The longest region there is: nothing but the limit is in the way, if it is long enough.
    var region =
        run.device().regions().stream()
            .filter(DeviceFacts.Region::isReadable)
            .filter(each -> each.size() > limit)
            .findFirst()
            .orElse(run.config());
    var came =
        run.refused(peer, Command.REGION_READ, Payload.access(0, region.index(), (int) limit + 1));
    run.isOfUse(peer, came);
    return came;
  }

  private static String clientLimit(ConformanceRun run) {
    int limit = 128;
    int region = run.config().index();
    var peer = run.open("{\"capabilities\":{\"max_data_xfer_size\":%d}}".formatted(limit));
    run.read(peer, region, 0, limit);
    var came = run.usuallyRefused(peer, Command.REGION_READ, Payload.access(0, region, limit + 1));
    run.isOfUse(peer, came);
    return came;
  }

  private static String indexBeyond(ConformanceRun run) {
    var peer = run.open();
    var came = "";
    for (int index : new int[] {run.device().regionCount(), 0xdeadbeef, -1}) {
      came = run.refused(peer, Command.REGION_READ, Payload.access(0, index, 4));
      run.refused(peer, Command.REGION_WRITE, Payload.access(0, index, 4).zeros(4));
    }
    return came;
  }

  private static String absent(ConformanceRun run) {
    var peer = run.open();
    var region =
        run.device().regions().stream()
            .filter(each -> each.size() == 0)
            .findFirst()
            .orElseThrow(() -> Verdict.skipped("all regions have a size"));
    run.refused(peer, Command.REGION_WRITE, Payload.access(0, region.index(), 4).zeros(4));
    return run.refused(peer, Command.REGION_READ, Payload.access(0, region.index(), 4))
        + " for "
        + region.name();
  }

  private static String readOnly(ConformanceRun run) {
    var region =
        run.device().regions().stream()
            .filter(each -> each.isReadable() && !each.isWritable())
            .findFirst()
            .orElseThrow(() -> Verdict.skipped("all regions may be written"));
    var peer = run.open();
    return run.refused(peer, Command.REGION_WRITE, Payload.access(0, region.index(), 4).zeros(4));
  }

  private static String writeZero(ConformanceRun run) {
    var peer = run.open();
    var reply = peer.call(Command.REGION_WRITE, Payload.access(0x3c, run.config().index(), 0));
    run.isOfUse(peer, reply.outcome());
    if (reply.isError()) {
      return reply.outcome();
    }
    if (reply.payloadSize() != 16) {
      throw Verdict.differs("success with a payload of " + MessageText.bytes(reply.payloadSize()));
    }
    int count = reply.get(RegionAccess.COUNT);
    if (count != 0) {
      throw Verdict.failed("count " + count);
    }
    return "count 0";
  }

  /** The register is one that holds nothing of importance, should it be written all the same. */
  private static String wrongCount(ConformanceRun run, int count, int there) {
    var peer = run.open();
    int region = run.config().index();
    var before = run.read(peer, region, 0x3c, 4);
    var came =
        run.refused(
            peer,
            Command.REGION_WRITE,
            Payload.access(0x3c, region, count).bytes(java.util.Arrays.copyOf(before, there)));
    run.isOfUse(peer, came);
    return came;
  }

  private static String writePastEnd(ConformanceRun run) {
    var peer = run.open();
    int region = run.config().index();
    long end = run.config().size();
    run.refused(peer, Command.REGION_WRITE, Payload.access(-4, region, 8).zeros(8));
    return run.refused(peer, Command.REGION_WRITE, Payload.access(end, region, 4).zeros(4));
  }

  private static String writeBars(ConformanceRun run) {
    if (!run.options().writesBars()) {
      throw Verdict.skipped("BARs are written only if that is asked for");
    }
    var peer = run.open();
    var came = new ArrayList<String>();
    for (var region : run.device().regions()) {
      if (!region.isBar() || !region.isReadable() || !region.isWritable()) {
        continue;
      }
      int width = (int) Math.min(4, region.size());
      var read = peer.call(Command.REGION_READ, Payload.access(0, region.index(), width));
      if (read.isError()) {
        came.add(region.name() + ": " + read.outcome());
        continue;
      }
      var value = run.read(peer, region.index(), 0, width);
      var reply =
          peer.call(Command.REGION_WRITE, Payload.access(0, region.index(), width).bytes(value));
      if (!reply.isError()
          && (reply.payloadSize() != 16 || reply.get(RegionAccess.COUNT) != width)) {
        throw Verdict.failed(region.name() + ": " + reply.outcome());
      }
      came.add(region.name() + ": " + reply.outcome());
    }
    if (came.isEmpty()) {
      throw Verdict.skipped("no BAR can be read and written");
    }
    return String.join(", ", came);
  }

  private static String multiUnasked(ConformanceRun run) {
    if (run.hello().capabilities().writeMultiple()) {
      throw Verdict.skipped("the server tells that it takes them");
    }
    return run.refused(run.open(), Command.REGION_WRITE_MULTI, Payload.of(WriteMulti.STRUCT));
  }
}
