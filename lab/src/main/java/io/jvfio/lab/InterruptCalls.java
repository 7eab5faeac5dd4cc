// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.descriptor;
import static io.jvfio.lab.Operand.number;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Eventfds, sets of them, interrupts, and eventfds that write registers.
 *
 * <p>All eventfds are non-blocking, so that no read waits. Controllers are off, so all signals are
 * by software, and the one register that is written means nothing to them.
 */
final class InterruptCalls implements Subject {
  private static final List<String> EVENTS = List.of("e0", "e1", "e2", "e3");
  private static final String SET = "p0";

  private static final int INTX = 0;
  private static final int MSIX = 2;
  private static final int REQUEST = 4;
  private static final int VECTORS = 65;

  private static final int TRIGGER = Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;
  private static final int MASK = Vfio.VFIO_IRQ_SET_ACTION_MASK;
  private static final int UNMASK = Vfio.VFIO_IRQ_SET_ACTION_UNMASK;
  private static final int DATA_NONE = Vfio.VFIO_IRQ_SET_DATA_NONE;
  private static final int DATA_BOOL = Vfio.VFIO_IRQ_SET_DATA_BOOL;
  private static final int DATA_EVENTFD = Vfio.VFIO_IRQ_SET_DATA_EVENTFD;

  /** The controller's configuration register; values that keep it off. */
  private static final long CONFIGURATION = 0x14;

  private static final List<Long> VALUES = List.of(0x460000L, 0x450000L, 0x440000L);

  private static final List<String> COUNTS =
      List.of(
          "0100000000000000",
          "0100000000000000",
          "0300000000000000",
          "0000000000000000",
          "feffffffffffffff",
          "ffffffffffffffff",
          "01000000",
          "010000000000000000");

  @Override
  public void offer(Draft draft, Menu menu) {
    boolean hasDevice = device(draft) != null;
    if (draft.events.size() < EVENTS.size()) {
      menu.add(hasDevice ? (draft.events.isEmpty() ? 12 : 4) : 1, () -> make(draft));
    }
    menu.add(draft.hasEventSet ? 3 : 1, () -> set(draft));
    if (draft.events.isEmpty()) {
      return;
    }
    menu.add(hasDevice ? 10 : 2, () -> count(draft));
    menu.add(1, () -> draft.steps.close(close(draft)));
    if (hasDevice) {
      menu.add(12, () -> interrupts(draft));
      menu.add(6, () -> trigger(draft));
      menu.add(3, () -> ioEvent(draft));
    }
  }

  /** An open device, by whatever node; null if there is none. */
  private static @Nullable String device(Draft draft) {
    var open = new ArrayList<>(draft.devices.keySet());
    draft.nodes.forEach(
        (name, node) -> {
          if (node.iommufd != null) {
            open.add(name);
          }
        });
    return open.isEmpty() ? null : draft.oneOf(open);
  }

  private static String anyDevice(Draft draft) {
    var device = device(draft);
    return device == null || draft.chance(2) ? Draft.NOWHERE : device;
  }

  private static void make(Draft draft) {
    var name = draft.oneOf(EVENTS.stream().filter(e -> !draft.events.contains(e)).toList());
    if (draft.chance(4)) {
      draft.steps.eventFd("wrong", 0, Kernel.EFD_NONBLOCK | (1 << draft.below(11) & ~1));
      return;
    }
    draft.steps.eventFd(name, draft.below(3), Kernel.EFD_NONBLOCK | (draft.chance(15) ? 1 : 0));
    draft.events.add(name);
  }

  private static String close(Draft draft) {
    var name = draft.oneOf(draft.events, Draft.NOWHERE);
    draft.events.remove(name);
    return name;
  }

  private static String event(Draft draft) {
    return draft.chance(4)
        ? draft.oneOf(List.of(Draft.NOWHERE, "c0", "g0", SET, "e0", "e1"))
        : draft.oneOf(draft.events, Draft.NOWHERE);
  }

  private static void count(Draft draft) {
    var event = draft.oneOf(draft.events, Draft.NOWHERE);
    switch (draft.below(6)) {
      case 0 -> draft.steps.put(event, draft.oneOf(COUNTS));
      case 1 -> draft.steps.poll(event);
      default -> draft.steps.take(event, draft.chance(90) ? Long.BYTES : draft.below(17));
    }
  }

  private static void set(Draft draft) {
    if (!draft.hasEventSet) {
      draft.steps.epoll(SET);
      draft.hasEventSet = true;
      return;
    }
    switch (draft.below(6)) {
      case 0, 1 -> draft.steps.watch(SET, event(draft));
      case 2 -> draft.steps.unwatch(SET, event(draft));
      default -> draft.steps.readyFiles(SET, 1 + draft.below(4));
    }
  }

  private static Operand target(Draft draft) {
    return switch (draft.below(12)) {
      case 0, 1, 2 -> number(-1);
      case 3 -> draft.chance(30) ? number(-2) : descriptor(event(draft));
      default -> descriptor(draft.oneOf(draft.events, Draft.NOWHERE));
    };
  }

  /** Which index: mostly that which is in use. */
  private static int index(Draft draft, String device) {
    var used = draft.interrupts.get(device);
    if (used != null && draft.chance(75)) {
      return used;
    }
    return draft.oneOf(List.of(INTX, INTX, 1, MSIX, MSIX, MSIX, MSIX, 3, 3, REQUEST, REQUEST, 5));
  }

  private static int vectorStart(Draft draft, int index) {
    return index != MSIX && draft.chance(95)
        ? 0
        : draft.chance(50) ? 0 : draft.oneOf(List.of(1, 1, 2, 3, 5, 8, VECTORS - 1, VECTORS));
  }

  private static void interrupts(Draft draft) {
    var device = anyDevice(draft);
    int index = index(draft, device);
    if (draft.chance(15)) {
      draft.steps.turnOff(device, index);
      draft.interrupts.remove(device, index);
      return;
    }
    if (index == INTX && draft.chance(40)) {
      line(draft, device);
      return;
    }
    int start = vectorStart(draft, index);
    int count = index == MSIX ? draft.oneOf(List.of(0, 1, 1, 2, 3, 4, 8, VECTORS)) : 1;
    if (draft.chance(4)) {
      count = draft.below(3);
    }
    var data = new ArrayList<Operand>();
    for (int i = 0; i < count; i++) {
      data.add(i < 4 ? target(draft) : data.get(i % 4));
    }
    long argsz = 20 + 4L * count;
    draft.steps.setIrqs(
        device,
        draft.chance(5) ? draft.oneOf(List.of(0L, 19L, 20L, argsz - 1, argsz + 4)) : argsz,
        draft.flags(TRIGGER | DATA_EVENTFD),
        index,
        start,
        count,
        data);
    if (index <= MSIX) {
      draft.interrupts.putIfAbsent(device, index);
    }
  }

  private static void line(Draft draft, String device) {
    int action = draft.chance(50) ? MASK : UNMASK;
    switch (draft.below(4)) {
      case 0 -> draft.steps.setIrqs(device, action | DATA_NONE, INTX, 0, 1);
      case 1 -> draft.steps.setIrqs(device, action | DATA_BOOL, INTX, 0, 1, number(draft.below(2)));
      default -> draft.steps.setIrqs(device, UNMASK | DATA_EVENTFD, INTX, 0, 1, target(draft));
    }
  }

  private static void trigger(Draft draft) {
    var device = anyDevice(draft);
    int index = index(draft, device);
    int start = vectorStart(draft, index);
    int count = index == MSIX ? 1 + draft.below(4) : 1;
    int action = draft.chance(4) ? MASK : TRIGGER;
    if (draft.chance(60)) {
      draft.steps.setIrqs(device, draft.flags(action | DATA_NONE), index, start, count);
      return;
    }
    var data = new ArrayList<Operand>();
    for (int i = 0; i < count; i++) {
      data.add(number(draft.below(3)));
    }
    draft.steps.setIrqs(
        device, 20L + count, draft.flags(action | DATA_BOOL), index, start, count, data);
  }

  /** The first BAR is at offset 0 of the file. */
  private static void ioEvent(Draft draft) {
    if (draft.chance(25)) {
      draft.steps.readAt(anyDevice(draft), CONFIGURATION, 4);
      return;
    }
    long offset =
        draft.chance(85)
            ? CONFIGURATION
            : draft.oneOf(List.of(0x1ffeL, 0x2000L, 0x240cL, 0x3ffeL, 0x4000L, 2L << 40, 7L << 40));
    draft.steps.ioEventFd(
        anyDevice(draft),
        draft.flags(4),
        number(offset),
        draft.oneOf(VALUES),
        target(draft),
        draft.argsz(32));
  }
}
