// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.SetIrqsMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Checks of how interrupts are set up, by triggering them with the same command. */
final class IrqChecks {
  private static final String SECTION = "VFIO_USER_DEVICE_SET_IRQS";
  private static final String SECURITY = "Security Considerations";

  private static final int NONE = Vfio.VFIO_IRQ_SET_DATA_NONE;
  private static final int BOOL = Vfio.VFIO_IRQ_SET_DATA_BOOL;
  private static final int EVENTFD = Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int MASK = Vfio.VFIO_IRQ_SET_ACTION_MASK;
  private static final int UNMASK = Vfio.VFIO_IRQ_SET_ACTION_UNMASK;
  private static final int TRIGGER = Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;

  private static final int MANY = 4;

  private IrqChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "irq-trigger-none",
            "signals the eventfd of an interrupt that is triggered",
            SECTION,
            "one signal",
            run -> triggered(run, false)),
        new ConformanceCheck(
            "irq-trigger-bool",
            "signals the interrupts whose byte is true",
            SECTION,
            "one signal for a byte of 1, and none for a byte of 0",
            run -> triggered(run, true)),
        new ConformanceCheck(
            "irq-each-index",
            "signals interrupts of every index that it has",
            SECTION,
            "one signal for each",
            IrqChecks::eachIndex),
        new ConformanceCheck(
            "irq-range",
            "keeps to the range of a setting that does not start at 0",
            SECTION,
            "a signal for each interrupt of the range, and for no other",
            IrqChecks::range),
        new ConformanceCheck(
            "irq-range-bool",
            "keeps to the range of a trigger that does not start at 0",
            SECTION,
            "a signal for the interrupt whose byte is 1",
            IrqChecks::rangeBool),
        new ConformanceCheck(
            "irq-replace",
            "signals the eventfd that was given last",
            SECTION,
            "a signal of the second one only",
            IrqChecks::replaced),
        new ConformanceCheck(
            "irq-deassign-one",
            "takes the eventfd of an interrupt away",
            SECTION,
            "no signal of that one, and still one of its neighbours",
            IrqChecks::deassignOne),
        new ConformanceCheck(
            "irq-deassign-all",
            "turns off all interrupts of an index",
            SECTION,
            "no signal",
            IrqChecks::deassignAll),
        new ConformanceCheck(
            "irq-trigger-unassigned",
            "takes a trigger of an interrupt without an eventfd",
            SECTION,
            "success, or an error",
            IrqChecks::unassigned),
        new ConformanceCheck(
            "irq-mask",
            "lets interrupts be masked that it says can be",
            SECTION,
            "success",
            IrqChecks::masked),
        new ConformanceCheck(
            "irq-index-beyond",
            "refuses an index that there is not",
            SECURITY,
            "an error",
            run ->
                refused(run, (irq) -> new Setting(NONE | TRIGGER, run.device().irqCount(), 0, 1))),
        new ConformanceCheck(
            "irq-start-beyond",
            "refuses a start beyond the interrupts of an index",
            SECURITY,
            "an error",
            run -> refused(run, irq -> new Setting(NONE | TRIGGER, irq.index(), irq.count(), 1))),
        new ConformanceCheck(
            "irq-count-beyond",
            "refuses a count beyond the interrupts of an index",
            SECURITY,
            "an error",
            run ->
                refused(run, irq -> new Setting(NONE | TRIGGER, irq.index(), 0, irq.count() + 1))),
        new ConformanceCheck(
            "irq-count-wrapped",
            "refuses a range that wraps around",
            SECURITY,
            "an error",
            run -> refused(run, irq -> new Setting(NONE | TRIGGER, irq.index(), 1, -1))),
        new ConformanceCheck(
            "irq-count-zero",
            "refuses no interrupts, unless that turns an index off",
            SECTION,
            "an error for a start of 1, for MASK, and for BOOL",
            IrqChecks::countZero),
        new ConformanceCheck(
            "irq-error-request-range",
            "refuses ranges beyond the one interrupt for errors, and for requests",
            SECURITY,
            "an error for each",
            run -> errorAndRequest(run, NONE | TRIGGER, 2, false)),
        new ConformanceCheck(
            "irq-error-request-mask",
            "refuses to mask the interrupts for errors and requests",
            SECTION,
            "an error for each that it does not say can be masked",
            run -> errorAndRequest(run, NONE | MASK, 1, true)),
        new ConformanceCheck(
            "irq-two-types",
            "refuses two types of data at once",
            SECTION,
            "an error",
            run ->
                refused(
                    run, irq -> new Setting(NONE | BOOL | TRIGGER, irq.index(), 0, 1, (byte) 1))),
        new ConformanceCheck(
            "irq-two-actions",
            "refuses two actions at once",
            SECTION,
            "an error",
            run -> refused(run, irq -> new Setting(NONE | MASK | UNMASK, irq.index(), 0, 1))),
        new ConformanceCheck(
            "irq-no-action",
            "refuses a setting that has no action",
            SECTION,
            "an error",
            run -> refused(run, irq -> new Setting(NONE, irq.index(), 0, 1))),
        new ConformanceCheck(
            "irq-bool-short",
            "refuses fewer bytes than interrupts",
            SECURITY,
            "an error",
            run -> refused(run, irq -> new Setting(BOOL | TRIGGER, irq.index(), 0, 1))),
        new ConformanceCheck(
            "irq-bool-long",
            "refuses more bytes than interrupts",
            SECTION,
            "an error",
            IrqChecks::boolLong),
        new ConformanceCheck(
            "irq-argsz-small",
            "refuses an argsz that is smaller than the setting",
            SECTION,
            "an error",
            IrqChecks::argszSmall),
        new ConformanceCheck(
            "irq-too-few-descriptors",
            "refuses fewer eventfds than interrupts",
            SECTION,
            "an error",
            run -> descriptors(run, 2, 1)),
        new ConformanceCheck(
            "irq-too-many-descriptors",
            "refuses more eventfds than interrupts",
            SECTION,
            "an error",
            run -> descriptors(run, 1, 2)),
        new ConformanceCheck(
            "irq-descriptors-unasked",
            "refuses eventfds that no data tell of",
            SECTION,
            "an error",
            IrqChecks::unasked),
        new ConformanceCheck(
            "irq-more-than-limit",
            "is not ended by more descriptors than it said it takes",
            "VFIO_USER_VERSION",
            "an error, or the end of the connection",
            IrqChecks::overLimit),
        new ConformanceCheck(
            "irq-no-eventfd",
            "is not ended by a descriptor that is no eventfd",
            SECURITY,
            "success, or an error, and answers after that",
            IrqChecks::noEventFd));
  }

  /** What a command sets. */
  @SuppressWarnings("ArrayRecordComponent") // made here, and read once
  private record Setting(int flags, int index, int start, int count, byte... data) {
    Payload payload() {
      return Payload.setIrqs(flags, index, start, count, data);
    }
  }

  /** Makes a setting for an index. */
  private interface Maker {
    Setting of(DeviceFacts.Irq irq);
  }

  private static DeviceFacts.Irq irq(ConformanceRun run, int count) {
    return run.device()
        .irq(count)
        .orElseThrow(
            () ->
                Verdict.skipped(
                    count == 1
                        ? "there are no interrupts"
                        : "no index has %d interrupts".formatted(count)));
  }

  private static void set(
      ConformanceRun run, WirePeer peer, int flags, int index, int start, int count, byte... data) {
    run.succeeds(peer, Command.DEVICE_SET_IRQS, Payload.setIrqs(flags, index, start, count, data));
  }

  private static int[] eventFds(WirePeer peer, int count) {
    var fds = new int[count];
    Arrays.setAll(fds, _ -> peer.eventFd());
    return fds;
  }

  /** Sets eventfds, no more with one message than the server takes. */
  private static void assign(ConformanceRun run, WirePeer peer, int index, int start, int... fds) {
    int most = Math.clamp(run.hello().capabilities().maxMessageFds(), 1, fds.length);
    for (int i = 0; i < fds.length; i += most) {
      var part = Arrays.copyOfRange(fds, i, Math.min(fds.length, i + most));
      run.succeeds(
          peer,
          Command.DEVICE_SET_IRQS,
          Payload.setIrqs(EVENTFD | TRIGGER, index, start + i, part.length),
          part);
    }
  }

  /** Which eventfds were signalled, and how often; a signal that should come is waited for. */
  private static String signals(WirePeer peer, int[] fds, int... expected) {
    var counts = new ArrayList<Long>();
    for (int i = 0; i < fds.length; i++) {
      counts.add(peer.signals(fds[i], expected[i] > 0 ? WirePeer.MOMENT : Duration.ZERO));
    }
    for (int i = 0; i < fds.length; i++) {
      if (counts.get(i) != expected[i]) {
        throw Verdict.failed(
            "signals %s where %s were due".formatted(counts, Arrays.toString(expected)));
      }
    }
    return counts.size() == 1 ? "%d signals".formatted(counts.getFirst()) : "signals " + counts;
  }

  private static String triggered(ConformanceRun run, boolean byBytes) {
    var irq = irq(run, 1);
    var peer = run.open();
    var fds = eventFds(peer, 1);
    assign(run, peer, irq.index(), 0, fds);
    if (byBytes) {
      set(run, peer, BOOL | TRIGGER, irq.index(), 0, 1, (byte) 0);
      signals(peer, fds, 0);
      set(run, peer, BOOL | TRIGGER, irq.index(), 0, 1, (byte) 1);
    } else {
      signals(peer, fds, 0);
      set(run, peer, NONE | TRIGGER, irq.index(), 0, 1);
    }
    return irq.name() + ": " + signals(peer, fds, 1);
  }

  private static String eachIndex(ConformanceRun run) {
    var names = new ArrayList<String>();
    for (var irq : run.device().irqs()) {
      if (!irq.isSignalled()) {
        continue;
      }
      // Two of INTx, MSI and MSI-X exclude each other in some devices.
      var peer = run.open();
      var fds = eventFds(peer, 1);
      assign(run, peer, irq.index(), irq.count() - 1, fds);
      set(run, peer, NONE | TRIGGER, irq.index(), irq.count() - 1, 1);
      signals(peer, fds, 1);
      set(run, peer, NONE | TRIGGER, irq.index(), 0, 0);
      names.add(irq.name());
    }
    if (names.isEmpty()) {
      throw Verdict.skipped("there are no interrupts");
    }
    return String.join(", ", names);
  }

  private static String range(ConformanceRun run) {
    var irq = irq(run, MANY);
    var peer = run.open();
    var fds = eventFds(peer, MANY);
    assign(run, peer, irq.index(), 0, fds[0]);
    assign(run, peer, irq.index(), 1, fds[1], fds[2]);
    assign(run, peer, irq.index(), 3, fds[3]);
    set(run, peer, NONE | TRIGGER, irq.index(), 1, 2);
    return signals(peer, fds, 0, 1, 1, 0);
  }

  private static String rangeBool(ConformanceRun run) {
    var irq = irq(run, MANY);
    var peer = run.open();
    var fds = eventFds(peer, MANY);
    assign(run, peer, irq.index(), 0, fds);
    set(run, peer, BOOL | TRIGGER, irq.index(), 1, 3, (byte) 0, (byte) 1, (byte) 0);
    return signals(peer, fds, 0, 0, 1, 0);
  }

  private static String replaced(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    var fds = eventFds(peer, 2);
    assign(run, peer, irq.index(), 0, fds[0]);
    assign(run, peer, irq.index(), 0, fds[1]);
    set(run, peer, NONE | TRIGGER, irq.index(), 0, 1);
    return signals(peer, fds, 0, 1);
  }

  private static String deassignOne(ConformanceRun run) {
    var irq = irq(run, MANY);
    var peer = run.open();
    var fds = eventFds(peer, MANY);
    assign(run, peer, irq.index(), 0, fds);
    set(run, peer, EVENTFD | TRIGGER, irq.index(), 2, 1);
    for (int i = 0; i < MANY; i++) {
      // A trigger of one that has no eventfd may be refused.
      peer.call(Command.DEVICE_SET_IRQS, Payload.setIrqs(NONE | TRIGGER, irq.index(), i, 1));
    }
    return signals(peer, fds, 1, 1, 0, 1);
  }

  private static String deassignAll(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    int count = Math.min(irq.count(), MANY);
    var fds = eventFds(peer, count);
    assign(run, peer, irq.index(), 0, fds);
    set(run, peer, NONE | TRIGGER, irq.index(), 0, 0);
    for (int i = 0; i < count; i++) {
      peer.call(Command.DEVICE_SET_IRQS, Payload.setIrqs(NONE | TRIGGER, irq.index(), i, 1));
    }
    return signals(peer, fds, new int[count]);
  }

  private static String unassigned(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    var reply =
        peer.call(Command.DEVICE_SET_IRQS, Payload.setIrqs(NONE | TRIGGER, irq.index(), 0, 1));
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String masked(ConformanceRun run) {
    var irq =
        run.device().irqs().stream()
            .filter(DeviceFacts.Irq::isMaskable)
            .findFirst()
            .orElseThrow(() -> Verdict.skipped("no index says that it can"));
    var peer = run.open();
    var fds = eventFds(peer, 1);
    assign(run, peer, irq.index(), 0, fds);
    set(run, peer, NONE | MASK, irq.index(), 0, 1);
    set(run, peer, NONE | UNMASK, irq.index(), 0, 1);
    set(run, peer, BOOL | MASK, irq.index(), 0, 1, (byte) 1);
    set(run, peer, BOOL | UNMASK, irq.index(), 0, 1, (byte) 1);
    return irq.name();
  }

  private static String refused(ConformanceRun run, Maker maker) {
    var irq = irq(run, 1);
    var peer = run.open();
    var came = run.refused(peer, Command.DEVICE_SET_IRQS, maker.of(irq).payload());
    run.isOfUse(peer, came);
    return came;
  }

  private static String countZero(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    var came = "";
    for (var setting :
        List.of(
            new Setting(NONE | TRIGGER, irq.index(), 1, 0),
            new Setting(NONE | MASK, irq.index(), 0, 0),
            new Setting(BOOL | TRIGGER, irq.index(), 0, 0))) {
      came = run.usuallyRefused(peer, Command.DEVICE_SET_IRQS, setting.payload());
    }
    run.isOfUse(peer, came);
    return came;
  }

  private static String errorAndRequest(
      ConformanceRun run, int flags, int count, boolean isOnlyUsual) {
    var peer = run.open();
    var came = new ArrayList<String>();
    for (var irq : run.device().irqs()) {
      boolean isOneOfThem =
          irq.index() == Vfio.VFIO_PCI_ERR_IRQ_INDEX || irq.index() == Vfio.VFIO_PCI_REQ_IRQ_INDEX;
      if (!isOneOfThem || irq.count() == 0 || (isOnlyUsual && irq.isMaskable())) {
        continue;
      }
      var payload = Payload.setIrqs(flags, irq.index(), 0, count);
      came.add(
          irq.name()
              + ": "
              + (isOnlyUsual
                  ? run.usuallyRefused(peer, Command.DEVICE_SET_IRQS, payload)
                  : run.refused(peer, Command.DEVICE_SET_IRQS, payload)));
    }
    if (came.isEmpty()) {
      throw Verdict.skipped("there are no such interrupts");
    }
    return String.join(", ", came);
  }

  private static String boolLong(ConformanceRun run) {
    var irq = irq(run, 1);
    return run.usuallyRefused(
        run.open(),
        Command.DEVICE_SET_IRQS,
        Payload.setIrqs(BOOL | TRIGGER, irq.index(), 0, 1, (byte) 0, (byte) 0));
  }

  private static String argszSmall(ConformanceRun run) {
    var irq = irq(run, 1);
    var payload = Payload.setIrqs(NONE | TRIGGER, irq.index(), 0, 1).with(SetIrqsMessage.ARGSZ, 8);
    return run.usuallyRefused(run.open(), Command.DEVICE_SET_IRQS, payload);
  }

  private static String descriptors(ConformanceRun run, int count, int there) {
    var irq = irq(run, count);
    if (there > run.hello().capabilities().maxMessageFds()) {
      throw Verdict.skipped("the server takes one descriptor with a message");
    }
    var peer = run.open();
    var came =
        run.usuallyRefused(
            peer,
            Command.DEVICE_SET_IRQS,
            Payload.setIrqs(EVENTFD | TRIGGER, irq.index(), 0, count),
            eventFds(peer, there));
    run.isOfUse(peer, came);
    return came;
  }

  private static String unasked(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    run.usuallyRefused(
        peer,
        Command.DEVICE_SET_IRQS,
        Payload.setIrqs(NONE | TRIGGER, irq.index(), 0, 1),
        peer.eventFd());
    var came =
        run.usuallyRefused(
            peer,
            Command.DEVICE_SET_IRQS,
            Payload.setIrqs(BOOL | TRIGGER, irq.index(), 0, 1, (byte) 0),
            peer.eventFd());
    run.isOfUse(peer, came);
    return came;
  }

  private static String overLimit(ConformanceRun run) {
    var irq = irq(run, 1);
    int limit = run.hello().capabilities().maxMessageFds();
    int count = limit + 1;
    if (count > 253) {
      throw Verdict.skipped("the server takes %d".formatted(limit));
    }
    var peer = run.open();
    int fd = peer.eventFd();
    var fds = new int[count];
    Arrays.fill(fds, fd);
    int id =
        peer.command(
            Command.DEVICE_SET_IRQS.number(),
            Payload.setIrqs(EVENTFD | TRIGGER, irq.index(), 0, count),
            fds);
    return run.refusedOrClosed(peer, id) + " for %d descriptors".formatted(count);
  }

  private static String noEventFd(ConformanceRun run) {
    var irq = irq(run, 1);
    var peer = run.open();
    int memory = peer.memory(4096);
    var reply =
        peer.call(
            Command.DEVICE_SET_IRQS, Payload.setIrqs(EVENTFD | TRIGGER, irq.index(), 0, 1), memory);
    var came = reply.outcome();
    if (!reply.isError()) {
      var trigger =
          peer.call(Command.DEVICE_SET_IRQS, Payload.setIrqs(NONE | TRIGGER, irq.index(), 0, 1));
      came += ", and " + trigger.outcome() + " when it is triggered";
    }
    run.isOfUse(peer, came);
    return came;
  }
}
