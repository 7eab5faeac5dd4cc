// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.DmaSpace;
import io.jvfio.Interrupts;
import io.jvfio.MappableArea;
import io.jvfio.PciConfigSpace;
import io.jvfio.Region;
import io.jvfio.RegionInfo;
import io.jvfio.VfioDevice;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * A device model plugged into the driver's seams directly: no kernel, no IOMMU but a table of what
 * is mapped. It keeps a journal of what matters for order, and can fail any single access.
 */
final class FakeDevice implements VfioDevice {
  static final String NAME = "0000:01:00.0";

  private static final int PCI_COMMAND = 0x04;
  private static final int MEMORY = 2;
  private static final int BUS_MASTER = 4;
  private static final int LINE_OFF = 0x400;
  private static final int CSTS = 0x1c;
  private static final int CFS = 2;
  private static final int DOORBELLS = 0x1000;
  private static final int NOT_RUNG = -1;

  final List<String> journal = Collections.synchronizedList(new ArrayList<>());
  final FakeDmaSpace memory = new FakeDmaSpace(this);
  final AtomicIntegerArray rung = new AtomicIntegerArray(256);

  /** How often each doorbell was written. */
  final int[] rings = new int[256];

  /** Throw at this access, counted from 0. */
  int failAtAccess = Integer.MAX_VALUE;

  int accesses;

  /** Swallow doorbells, as a controller does that hangs; only a reset brings it back. */
  boolean ignoresDoorbells;

  /** All registers read as ones. */
  boolean isGone;

  /**
   * Fail (CSTS.CFS) once there is an interrupt and nobody has given an eventfd for it, as SPDK's
   * target does: the line's, where neither COMMAND nor MSI-X turns it off, or a vector's.
   */
  boolean failsUnheard;

  private boolean wasUnheard;

  /** The parts of the first BAR that can be mapped. */
  List<MappableArea> areas = List.of();

  /** What is mapped of that is memory of a server's. */
  boolean isMemory;

  /** How often a doorbell was rung in a part that was mapped. */
  int mappedRings;

  /** Called before the driver writes the controller's configuration, CC. */
  Runnable beforeConfiguration = () -> {};

  int openRegisters;

  final FakeInterrupts interrupts = new FakeInterrupts();

  private final DeviceModel model;
  private volatile boolean hasThread;

  /** The model has more to do. */
  private volatile boolean isPollAsked;

  private volatile boolean isClosed;

  FakeDevice(DeviceModel model) {
    this.model = model;
    model.connectPoll(() -> isPollAsked = true);
    model.connect(
        new Port(),
        new InterruptPort() {
          @Override
          public void signal(int vector) {
            int heard = interrupts.vectors().size();
            boolean isLineOff = (model.config().read(PCI_COMMAND, 2) & LINE_OFF) != 0;
            wasUnheard |= failsUnheard && (heard == 0 ? !isLineOff : vector >= heard);
            interrupts.signal(vector);
          }

          @Override
          public void line(boolean asserted) {}
        });
    for (int i = 0; i < rung.length(); i++) {
      rung.set(i, NOT_RUNG);
    }
  }

  static final class InjectedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    InjectedException(String what) {
      super("injected: " + what);
    }
  }

  void access(String what) {
    if (accesses++ == failAtAccess) {
      throw new InjectedException(what);
    }
  }

  boolean isBusMaster() {
    return (model.config().read(PCI_COMMAND, 2) & BUS_MASTER) != 0;
  }

  /** Lets the device do what it has asked for. */
  private void settle() {
    while (isPollAsked) {
      isPollAsked = false;
      while (model.poll()) {
        // There may be more.
      }
    }
  }

  /** Lets the device do what it does of its own accord. */
  void poll() {
    synchronized (model) {
      while (model.poll()) {
        accesses++;
      }
    }
  }

  /** From now on doorbells are answered by a thread, as by a device that runs on its own. */
  AutoCloseable startThread() {
    hasThread = true;
    var thread = Thread.ofPlatform().name("device").daemon().start(this::serveDoorbells);
    return () -> {
      hasThread = false;
      thread.join();
      answerDoorbells();
    };
  }

  /**
   * From now on a doorbell waits, as at a controller that is slow. Closing the result answers what
   * has been rung; whoever rings meanwhile is to have done so before.
   */
  AutoCloseable holdDoorbells() {
    hasThread = true;
    return () -> {
      hasThread = false;
      answerDoorbells();
    };
  }

  boolean isHeld(int doorbell) {
    return rung.get(doorbell) != NOT_RUNG;
  }

  @SuppressWarnings("ThreadPriorityCheck") // one processor may have to do for both sides
  private void serveDoorbells() {
    while (hasThread) {
      if (!answerDoorbells()) {
        Thread.yield();
      }
    }
  }

  private boolean answerDoorbells() {
    boolean worked = false;
    for (int i = 0; i < rung.length(); i++) {
      if (rung.get(i) != NOT_RUNG) {
        worked = true;
        synchronized (model) {
          int value = rung.getAndSet(i, NOT_RUNG);
          if (value != NOT_RUNG) {
            model.write(0, DOORBELLS + 4L * i, 4, value);
            settle();
          }
        }
      }
    }
    return worked;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public DmaSpace dmaSpace() {
    return memory;
  }

  @Override
  public List<Region> regions() {
    List<Region> regions = new ArrayList<>();
    for (var bar : model.bars()) {
      while (regions.size() < bar.index()) {
        regions.add(new BarRegion(regions.size(), 0));
      }
      regions.add(new BarRegion(bar.index(), bar.byteSize()));
    }
    return regions;
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  @Override
  public PciConfigSpace config() {
    return new Config();
  }

  @Override
  public void enableBusMaster() {
    access("enable bus master");
    int command = model.config().read(PCI_COMMAND, 2);
    model.config().write(PCI_COMMAND, 2, command | BUS_MASTER | MEMORY);
  }

  @Override
  public void disableBusMaster() {
    journal.add("bus master off");
    int command = model.config().read(PCI_COMMAND, 2);
    model.config().write(PCI_COMMAND, 2, command & ~BUS_MASTER);
  }

  @Override
  public void reset() {
    synchronized (model) {
      model.reset();
    }
  }

  @Override
  public boolean isClosed() {
    return isClosed;
  }

  @Override
  public void close() {
    isClosed = true;
    model.close();
  }

  private final class Port implements DmaPort {
    @Override
    public void read(long iova, MemorySegment target) throws DmaFaultException {
      target.copyFrom(memory.find(iova, target.byteSize(), isBusMaster()));
    }

    @Override
    public void write(long iova, MemorySegment source) throws DmaFaultException {
      memory.find(iova, source.byteSize(), isBusMaster()).copyFrom(source);
    }
  }

  private final class Config implements PciConfigSpace {
    @Override
    public int byteSize() {
      return model.config().byteSize();
    }

    @Override
    public int read8(int offset) {
      return model.config().read(offset, 1);
    }

    @Override
    public int read16(int offset) {
      return model.config().read(offset, 2);
    }

    @Override
    public int read32(int offset) {
      return model.config().read(offset, 4);
    }

    @Override
    public void write8(int offset, int value) {
      model.config().write(offset, 1, value);
    }

    @Override
    public void write16(int offset, int value) {
      model.config().write(offset, 2, value);
    }

    @Override
    public void write32(int offset, int value) {
      model.config().write(offset, 4, value);
    }
  }

  private final class BarRegion implements Region {
    private final int bar;
    private final long byteSize;

    BarRegion(int bar, long byteSize) {
      this.bar = bar;
      this.byteSize = byteSize;
    }

    @Override
    public RegionInfo info() {
      return new RegionInfo(bar, byteSize, true, true, false, false);
    }

    @Override
    public void read(long offset, MemorySegment target) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void write(long offset, MemorySegment source) {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean isMemory() {
      return isMemory;
    }

    @Override
    public List<MappableArea> mappableAreas() {
      return bar == 0 ? areas : List.of();
    }

    @Override
    public Registers map(MappableArea area, RegisterOrder order) {
      assertThat(mappableAreas()).contains(area);
      access("map a part of a BAR");
      openRegisters++;
      return new ModelRegisters(bar, area.offset(), area.byteSize()) {
        @Override
        public void write32Release(long offset, int value) {
          mappedRings++;
          super.write32Release(offset, value);
        }
      };
    }

    @Override
    public Registers registers(RegisterOrder order) {
      access("map a BAR");
      openRegisters++;
      return new ModelRegisters(bar, 0, byteSize);
    }
  }

  private class ModelRegisters implements Registers {
    private final int bar;
    private final long start;
    private final long byteSize;
    private boolean isClosed;

    ModelRegisters(int bar, long start, long byteSize) {
      this.bar = bar;
      this.start = start;
      this.byteSize = byteSize;
    }

    private void check(String what) {
      if (isClosed) {
        throw new IllegalStateException("closed");
      }
      access(what);
    }

    private long read(long place, int width) {
      long offset = start + place;
      check("read");
      if (isGone) {
        return -1;
      }
      synchronized (model) {
        long value = model.read(bar, offset, width);
        return wasUnheard && bar == 0 && offset == CSTS ? value | CFS : value;
      }
    }

    private void write(long place, int width, long value) {
      long offset = start + place;
      check("write");
      if (bar == 0 && offset == 0x14) {
        beforeConfiguration.run();
        journal.add("CC 0x%x".formatted(value));
      }
      synchronized (model) {
        // Writes reach a device in their order: no doorbell from before a reset comes after it.
        answerDoorbells();
        model.write(bar, offset, width, value);
        settle();
      }
    }

    @Override
    public long byteSize() {
      return byteSize;
    }

    @Override
    public byte read8(long offset) {
      return (byte) read(offset, 1);
    }

    @Override
    public short read16(long offset) {
      return (short) read(offset, 2);
    }

    @Override
    public int read32(long offset) {
      return (int) read(offset, 4);
    }

    @Override
    public long read64(long offset) {
      throw new AssertionError("64-bit registers are read in halves");
    }

    @Override
    public void write8(long offset, byte value) {
      write(offset, 1, value);
    }

    @Override
    public void write16(long offset, short value) {
      write(offset, 2, value);
    }

    @Override
    public void write32(long offset, int value) {
      write(offset, 4, value);
    }

    @Override
    public void write64(long offset, long value) {
      if (bar == 0) {
        throw new AssertionError("64-bit registers are written in halves");
      }
      write(offset, 8, value);
    }

    @Override
    public void write32Release(long place, int value) {
      long offset = start + place;
      check("doorbell");
      int doorbell = (int) (offset - DOORBELLS) / 4;
      rings[doorbell]++;
      if (ignoresDoorbells || wasUnheard) {
        return;
      }
      if (hasThread) {
        rung.set(doorbell, value);
        return;
      }
      synchronized (model) {
        model.write(0, offset, 4, value);
        settle();
      }
    }

    @Override
    public void close() {
      if (!isClosed) {
        isClosed = true;
        openRegisters--;
        journal.add("registers closed");
      }
    }
  }
}
