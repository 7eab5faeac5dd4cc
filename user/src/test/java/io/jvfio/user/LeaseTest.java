// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a server does with memory that its device has lent to somebody, when its client goes on. */
@Timeout(60)
class LeaseTest {
  private static final int BUS_MASTER = 4;
  private static final int BYTES = 64 << 10;
  private static final int READ_WRITE = DmaMapMessage.READABLE | DmaMapMessage.WRITABLE;
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  @TempDir private @Nullable Path directory;

  private final Device device = new Device();
  private final SharedFile file = new SharedFile(BYTES);
  private @Nullable VfioUserServer server;

  /** A device that leases a page for each write of a register, and gives it back when told to. */
  private static final class Device implements DeviceModel {
    final List<String> journal = new CopyOnWriteArrayList<>();
    private final ConfigSpace config =
        new ConfigSpace(256).set(0, 4, 0x1234_5678).allowWrites(4, 2, 0x407);
    private @Nullable DmaPort dma;

    /** What is leased, or null. */
    private volatile @Nullable DmaLease lease;

    private long address;
    private long iova;

    /** Whether the transfer ends when it is waited for. */
    boolean ends;

    @Override
    public ConfigSpace config() {
      return config;
    }

    @Override
    public List<Bar> bars() {
      return List.of(new Bar(0, 4096, false, false));
    }

    @Override
    public int msixVectors() {
      return 0;
    }

    @Override
    public void connect(DmaPort port, InterruptPort interrupts) {
      dma = port;
    }

    @Override
    public long read(int bar, long offset, int width) {
      return lease == null ? 0 : 1;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      try {
        iova = value;
        var lent = Objects.requireNonNull(dma).lease(value, 4096, true);
        lease = lent;
        address = Objects.requireNonNull(lent).address(value);
      } catch (DmaFaultException e) {
        journal.add("fault");
      }
    }

    @Override
    public void quiesce() {
      journal.add("quiesce");
    }

    @Override
    public boolean awaitTransfers(long nanos) {
      journal.add("await " + nanos);
      if (ends) {
        end();
      }
      return ends;
    }

    void end() {
      var lent = Objects.requireNonNull(lease);
      lease = null;
      lent.end(iova, 4096, true);
    }

    @Override
    public void resume() {
      journal.add("resume");
    }

    @Override
    public void reset() {
      journal.add("reset");
    }

    @Override
    public void close() {
      journal.add("close");
    }
  }

  @BeforeEach
  void serve() {
    server = VfioUserServer.serve(device, path());
  }

  @AfterEach
  void close() {
    Objects.requireNonNull(server).close();
    file.close();
    assertThat(SharedFile.mappings()).isZero();
  }

  private Path path() {
    return Objects.requireNonNull(directory).resolve("device.sock");
  }

  /** A client whose device has leased the second page of its memory, at 0x11000. */
  private RawClient withLease() throws Exception {
    var client = RawClient.agreed(path());
    assertThat(client.write(RawClient.CONFIG, 4, 2, BUS_MASTER)).isZero();
    map(client);
    assertThat(client.write(0, 0, 4, 0x11000)).isZero();
    assertThat(client.value(0, 0, 4)).isOne();
    device.journal.clear();
    return client;
  }

  private void map(RawClient client) {
    int shared = file.descriptor();
    assertThat(client.map(0x10000, BYTES, READ_WRITE, shared)).isZero();
    KERNEL.close(shared);
  }

  /** What the transfer answers that moves the file's first byte to the leased page. */
  private long transfer() {
    return KERNEL.pread(file.number(), NativeMemory.at(device.address, 1, Arena.global()), 0);
  }

  @Test
  void aMapIsTakenAwayWhenTransfersHaveEnded() throws Exception {
    device.ends = true;
    try (var client = withLease()) {
      assertThat(transfer()).isOne();
      assertThat(client.unmap(0x10000, BYTES, 0)).isZero();
      assertThat(device.journal).containsExactly("quiesce", "await 1000000000", "resume");
      assertThat(client.value(0, 0, 4)).isZero();
      assertThat(SharedFile.mappings()).isZero();
      map(client);
      assertThat(client.unmap(0x10000, BYTES, 0)).isZero();
      assertThat(device.journal.subList(3, 5)).as("nothing is leased").doesNotContain("await");
    }
  }

  @Test
  void aTransferThatDoesNotEndReachesNothingAnyMore() throws Exception {
    try (var client = withLease()) {
      assertThat(client.unmap(0, 0, DmaUnmapMessage.ALL)).isZero();
      assertThat(device.journal).containsExactly("quiesce", "await 1000000000", "resume");
      assertThat(SharedFile.mappings()).isZero();
      assertThat(transfer()).isEqualTo(Errno.EFAULT.result());
      map(client);
      assertThat(transfer()).isEqualTo(Errno.EFAULT.result());
      device.end();
      assertThat(client.unmap(0x10000, BYTES, 0)).isZero();
    }
  }

  @Test
  void whoWantsToKnowIsToldOfWhatMayYetBeWritten() throws Exception {
    try (var client = withLease()) {
      startLog(client);
      DirtyBitmap.PAGE_SIZE.set(client.out, 4096);
      DirtyBitmap.BYTE_SIZE.set(client.out, 8);
      DmaUnmapMessage.ARGSZ.set(client.out, DirtyBitmap.BYTES - Header.SIZE + 8);
      DmaUnmapMessage.FLAGS.set(client.out, DmaUnmapMessage.GET_DIRTY_BITMAP);
      DmaUnmapMessage.ADDRESS.set(client.out, 0x10000);
      DmaUnmapMessage.SIZE.set(client.out, BYTES);
      assertThat(client.call(Command.DMA_UNMAP, DirtyBitmap.BYTES)).isZero();
      assertThat(client.in().get(ValueLayout.JAVA_LONG, DirtyBitmap.BYTES)).isEqualTo(0xffff);
      assertThat(device.journal).containsOnlyOnce("await 1000000000");
      device.end();
    }
  }

  /** Has the server log which pages are written: {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START}. */
  private static void startLog(RawClient client) {
    int size = Header.SIZE + 8 + 16;
    client.out.asSlice(Header.SIZE, size - Header.SIZE).fill((byte) 0);
    client.out.set(ValueLayout.JAVA_INT, Header.SIZE, size - Header.SIZE);
    client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 4, 6 | 1 << 17);
    client.out.set(ValueLayout.JAVA_LONG, Header.SIZE + 8, 4096);
    assertThat(client.call(Command.DEVICE_FEATURE, size)).isZero();
  }

  @Test
  void theNextClientIsServedWhileATransferOfTheLastOneGoesOn() throws Exception {
    withLease().close();
    try (var next = RawClient.agreed(path())) {
      assertThat(device.journal).containsExactly("quiesce", "await 1000000000", "reset", "resume");
      assertThat(SharedFile.mappings()).isZero();
      assertThat(transfer()).isEqualTo(Errno.EFAULT.result());
      map(next);
      assertThat(transfer()).isEqualTo(Errno.EFAULT.result());
      assertThat(next.unmap(0x10000, BYTES, 0)).isZero();
      device.end();
    }
  }

  @Test
  void aLeaseNeedsAClientThatHasTheMemory() throws Exception {
    try (var client = RawClient.agreed(path())) {
      assertThat(client.write(0, 0, 4, 0x11000)).isZero();
      assertThat(client.write(RawClient.CONFIG, 4, 2, BUS_MASTER)).isZero();
      assertThat(client.write(0, 0, 4, 0x11000)).isZero();
      assertThat(device.journal).containsExactly("fault", "fault");
    }
  }
}
