package io.jvfio.user;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.model.Bar;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.user.ScriptedServer.Exchange;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Has a scripted server serve a device model: just enough for a driver at work. */
final class ModelScript implements ScriptedServer.Script, AutoCloseable {
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;

  private final LinuxKernel kernel = LinuxKernel.instance();
  private final DeviceModel model;
  private volatile @Nullable ScriptedServer server;
  private final Map<Integer, Long> bars = new HashMap<>();
  private final TreeMap<Long, Mapped> memory = new TreeMap<>();
  private final Thread poller;
  private volatile boolean closed;

  private record Mapped(long address, long byteSize) {}

  ModelScript(DeviceModel model) {
    this.model = model;
    for (Bar bar : model.bars()) {
      bars.put(bar.index(), bar.byteSize());
    }
    model.connect(new Port(), new Interrupts());
    poller = new Thread(this::poll, "poller");
    poller.setDaemon(true);
    poller.start();
  }

  /** Who serves it, for interrupts. */
  void servedBy(ScriptedServer host) {
    server = host;
  }

  private void poll() {
    while (!closed) {
      synchronized (this) {
        if (!closed) {
          model.poll();
        }
      }
      Thread.onSpinWait();
    }
  }

  private final class Port implements DmaPort {
    private MemorySegment at(long iova, long length) throws DmaFaultException {
      var entry = memory.floorEntry(iova);
      if (entry == null || iova - entry.getKey() + length > entry.getValue().byteSize) {
        throw new DmaFaultException(iova, "nothing is mapped there");
      }
      return kernel.memory(
          entry.getValue().address + iova - entry.getKey(), length, Arena.global());
    }

    @Override
    public void read(long iova, MemorySegment target) throws DmaFaultException {
      target.copyFrom(at(iova, target.byteSize()));
    }

    @Override
    public void write(long iova, MemorySegment source) throws DmaFaultException {
      at(iova, source.byteSize()).copyFrom(source);
    }
  }

  private final class Interrupts implements InterruptPort {
    @Override
    public void signal(int vector) {
      var host = server;
      if (host != null && host.vectors[vector] >= 0) {
        host.signal(vector);
      }
    }

    @Override
    public void line(boolean asserted) {
      // has none
    }
  }

  @Override
  public synchronized boolean answers(Exchange exchange) {
    var message = exchange.message;
    return switch (exchange.command()) {
      case VERSION -> {
        forget(); // what another client had
        yield false;
      }
      case DEVICE_GET_REGION_INFO -> regionInfo(exchange);
      case REGION_READ -> {
        int count = RegionAccess.count(message);
        var reply = exchange.reply(RegionAccess.SIZE + (long) count);
        for (int i = 0; i < count; ) {
          int width = width(RegionAccess.offset(message) + i, count - i);
          put(reply, RegionAccess.SIZE + (long) i, width, read(message, i, width));
          i += width;
        }
        yield exchange.send(reply);
      }
      case REGION_WRITE -> {
        int count = RegionAccess.count(message);
        for (int i = 0; i < count; ) {
          int width = width(RegionAccess.offset(message) + i, count - i);
          write(message, i, width, get(message, RegionAccess.SIZE + (long) i, width));
          i += width;
        }
        yield exchange.send(exchange.reply(RegionAccess.SIZE));
      }
      case DMA_MAP -> {
        long size = DmaMapMessage.size(message);
        long address = kernel.mmap(size, 3, LinuxKernel.MAP_SHARED, exchange.socket.fd(0), 0);
        memory.put(DmaMapMessage.address(message), new Mapped(address, size));
        yield exchange.succeed();
      }
      case DMA_UNMAP -> {
        var gone = memory.remove(DmaUnmapMessage.address(message));
        if (gone != null) {
          kernel.munmap(gone.address, gone.byteSize);
        }
        yield exchange.send(exchange.reply(DmaUnmapMessage.SIZE));
      }
      case DEVICE_RESET -> {
        model.reset();
        yield exchange.succeed();
      }
      default -> false;
    };
  }

  private static int width(long offset, int left) {
    int width = (int) Math.min(8, Long.lowestOneBit(offset | 8));
    while (width > left) {
      width /= 2;
    }
    return width;
  }

  private long read(MemorySegment message, int at, int width) {
    long offset = RegionAccess.offset(message) + at;
    int region = RegionAccess.region(message);
    if (region != CONFIG) {
      return model.read(region, offset, width);
    }
    long value = Integer.toUnsignedLong(model.config().read((int) offset, Math.min(width, 4)));
    return width == 8 ? value | (long) model.config().read((int) offset + 4, 4) << 32 : value;
  }

  private void write(MemorySegment message, int at, int width, long value) {
    long offset = RegionAccess.offset(message) + at;
    int region = RegionAccess.region(message);
    if (region == CONFIG) {
      model.config().write((int) offset, Math.min(width, 4), (int) value);
    } else {
      model.write(region, offset, width, value);
    }
  }

  private static void put(MemorySegment to, long at, int width, long value) {
    for (int i = 0; i < width; i++) {
      to.set(ValueLayout.JAVA_BYTE, at + i, (byte) (value >>> (8 * i)));
    }
  }

  private static long get(MemorySegment from, long at, int width) {
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= (long) Byte.toUnsignedInt(from.get(ValueLayout.JAVA_BYTE, at + i)) << (8 * i);
    }
    return value;
  }

  private boolean regionInfo(Exchange exchange) {
    var reply = exchange.reply(Header.SIZE + VfioRegionInfo.SIZE);
    var info = reply.asSlice(Header.SIZE);
    int index = VfioRegionInfo.index(info);
    VfioRegionInfo.argsz(info, (int) VfioRegionInfo.SIZE);
    VfioRegionInfo.flags(info, 3);
    VfioRegionInfo.size(
        info, index == CONFIG ? model.config().byteSize() : bars.getOrDefault(index, 0L));
    return exchange.send(reply);
  }

  private void forget() {
    memory.values().forEach(one -> kernel.munmap(one.address, one.byteSize));
    memory.clear();
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      forget();
      model.close();
    }
    try {
      poller.join(30_000);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
