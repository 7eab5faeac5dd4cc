package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ClientMemoryTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final long PAGE = ClientMemory.PAGE_SIZE;
  private static final int MAX_MAPS = 64;
  private static final int FILE_SIZE = 64 << 10;

  private boolean busMaster = true;
  private final Messages messages = new Messages();
  private final ClientMemory memory = new ClientMemory(() -> busMaster, messages, MAX_MAPS);
  private final long descriptors = SharedFile.openDescriptors();
  private SharedFile file;

  @BeforeEach
  void openFile() {
    file = new SharedFile(FILE_SIZE);
  }

  @AfterEach
  void nothingIsLeft() {
    memory.close();
    file.close();
    assertThat(SharedFile.openDescriptors()).isEqualTo(descriptors);
    assertThat(SharedFile.mappings()).isZero();
  }

  /** A client's answers: memory from address 0 on. */
  private static final class Messages implements ClientMemory.DmaMessages {
    final List<String> calls = new ArrayList<>();
    final MemorySegment memory = MemorySegment.ofArray(new byte[FILE_SIZE]);
    int answer;

    @Override
    public int read(long iova, MemorySegment target, long offset, long byteSize) {
      calls.add("read %x %d".formatted(iova, byteSize));
      MemorySegment.copy(memory, iova, target, offset, byteSize);
      return answer;
    }

    @Override
    public int write(long iova, MemorySegment source, long offset, long byteSize) {
      calls.add("write %x %d".formatted(iova, byteSize));
      MemorySegment.copy(source, offset, memory, iova, byteSize);
      return answer;
    }
  }

  private int map(long iova, long byteSize) {
    return memory.map(file.descriptor(), 0, iova, byteSize, true, true);
  }

  private byte[] read(long iova, int length) throws DmaFaultException {
    var bytes = new byte[length];
    memory.read(iova, MemorySegment.ofArray(bytes));
    return bytes;
  }

  private void write(long iova, int... bytes) throws DmaFaultException {
    var source = MemorySegment.ofArray(new byte[bytes.length]);
    for (int i = 0; i < bytes.length; i++) {
      source.set(ValueLayout.JAVA_BYTE, i, (byte) bytes[i]);
    }
    memory.write(iova, source);
  }

  private void assertFault(
      long iova, org.assertj.core.api.ThrowableAssert.ThrowingCallable access) {
    assertThatExceptionOfType(DmaFaultException.class)
        .isThrownBy(access)
        .satisfies(fault -> assertThat(fault.iova()).isEqualTo(iova));
  }

  @Test
  void mappedMemoryIsTheClientsOwn() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), PAGE, 0x10000, 2 * PAGE, true, true)).isZero();
    file.write(PAGE + 5, (byte) 1, (byte) 2, (byte) 3);
    assertThat(read(0x10005, 3)).containsExactly(1, 2, 3);
    write(0x10006, 9);
    assertThat(file.bytes(PAGE + 5, 3)).containsExactly(1, 9, 3);
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isZero();
    assertFault(0x10005, () -> read(0x10005, 3));
  }

  @Test
  void anAccessMaySpanMapsThatTouch() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), 0, 2 * PAGE, PAGE, true, true)).isZero();
    assertThat(memory.map(-1, 0, PAGE, PAGE, true, true)).isZero();
    assertThat(memory.map(file.descriptor(), 4 * PAGE, 0, PAGE, true, true)).isZero();
    write(PAGE - 1, 1, 2);
    assertThat(file.bytes(5 * PAGE - 1, 1)).containsExactly(1);
    assertThat(messages.memory.get(ValueLayout.JAVA_BYTE, PAGE)).isEqualTo((byte) 2);
    var all = read(PAGE - 2, (int) PAGE + 4);
    assertThat(all).startsWith(0, 1, 2, 0);
    assertThat(messages.calls).containsExactly("write 1000 1", "read 1000 4096");
    assertFault(3 * PAGE, () -> read(PAGE - 2, 3 * (int) PAGE));
  }

  @Test
  void aMapMustNotOverlapAnother() {
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    int overlap = Errno.EEXIST.result();
    assertThat(map(0x10000, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 + PAGE, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, 8 * PAGE)).isEqualTo(overlap);
    assertThat(memory.map(-1, 0, 0, Long.MAX_VALUE & -PAGE, true, true)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, PAGE)).isZero();
    assertThat(map(0x10000 + 2 * PAGE, PAGE)).isZero();
    assertThat(memory.count()).isEqualTo(3);
  }

  @Test
  void whatCannotBeMeantIsRefused() {
    int invalid = Errno.EINVAL.result();
    assertThat(map(0, 0)).isEqualTo(invalid);
    assertThat(map(0, -PAGE)).isEqualTo(invalid);
    assertThat(map(0, Long.MIN_VALUE)).isEqualTo(invalid);
    assertThat(map(0, PAGE + 1)).isEqualTo(invalid);
    assertThat(map(8, PAGE)).isEqualTo(invalid);
    assertThat(map(-PAGE, 2 * PAGE)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), 8, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), -PAGE, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), Long.MAX_VALUE & -PAGE, 0, PAGE, true, true))
        .isEqualTo(invalid);
    assertThat(memory.map(-1, 0, 0, Long.MIN_VALUE, true, true)).isEqualTo(invalid);
    assertThat(memory.count()).isZero();
  }

  @Test
  void memoryBehindTheEndOfTheFileIsRefused() {
    int invalid = Errno.EINVAL.result();
    assertThat(map(0, FILE_SIZE + PAGE)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), PAGE, 0, FILE_SIZE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), FILE_SIZE, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(map(0, 1L << 62)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), PAGE, 0, FILE_SIZE - PAGE, true, true)).isZero();
  }

  @Test
  void theLastAddressCanBeMapped() throws DmaFaultException {
    assertThat(map(-2 * PAGE, 2 * PAGE)).isZero();
    assertThat(map(0, PAGE)).isZero();
    write(-2, 7, 8);
    assertThat(file.bytes(2 * PAGE - 2, 2)).containsExactly(7, 8);
    assertFault(0, () -> read(-2, 4));
    assertThat(memory.unmap(-2 * PAGE, 2 * PAGE)).isZero();
  }

  @Test
  void thereAreNoMoreMapsThanAgreed() {
    for (int i = 0; i < MAX_MAPS; i++) {
      assertThat(map(i * PAGE, PAGE)).isZero();
    }
    assertThat(map(MAX_MAPS * PAGE, PAGE)).isEqualTo(Errno.ENOSPC.result());
    assertThat(memory.unmap(7 * PAGE, PAGE)).isZero();
    assertThat(map(MAX_MAPS * PAGE, PAGE)).isZero();
  }

  /** What QEMU sends when a guest behind an IOMMU of its own changes the tables of a device. */
  @Test
  void aRangeGivesBackAllThatIsMappedInIt() {
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    assertThat(map(0x20000, PAGE)).isZero();
    assertThat(map(0x8000_0000L, PAGE)).isZero();
    assertThat(map(-PAGE, PAGE)).isZero();
    assertThat(memory.unmap(0, 0x8000_0000L)).isZero();
    assertThat(memory.count()).isEqualTo(2);
    assertThat(SharedFile.mappings()).isEqualTo(2);
    assertThatExceptionOfType(DmaFaultException.class)
        .isThrownBy(() -> memory.read(0x10000, MemorySegment.ofArray(new byte[1])));
    assertThat(map(0, 16 * PAGE)).isZero();
    assertThat(memory.unmap(0x4000_0000L, -0x4000_0000L)).isZero();
    assertThat(memory.count()).isEqualTo(1);
    assertThat(memory.unmap(0, -1)).isZero();
    assertThat(memory.count()).isZero();
  }

  @Test
  void onlyWholeMapsAreUnmapped() {
    int none = Errno.ENOENT.result();
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    assertThat(map(0x20000, PAGE)).isZero();
    assertThat(memory.unmap(0x10000, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000 + PAGE, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000, 0)).isEqualTo(none);
    assertThat(memory.unmap(0, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x30000, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0, 0x10000 + PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000 + PAGE, 0x10000)).isEqualTo(none);
    assertThat(memory.unmap(-PAGE, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.count()).isEqualTo(2);
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isZero();
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.count()).isEqualTo(1);
    memory.unmapAll();
    assertThat(memory.count()).isZero();
    assertThat(SharedFile.mappings()).isZero();
  }

  @Test
  void descriptorsOfWhatIsNoMemoryAreRefusedAndClosed() throws ErrnoException {
    assertThat(memory.map(KERNEL.eventFd(0, 0), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.ENODEV.result());
    var pair = UnixSocket.pair();
    int socket = KERNEL.open("/proc/self/fd/" + pair.first().fd(), Kernel.O_RDWR);
    assertThat(socket).isNegative(); // a socket cannot be opened again: so its own is given away
    assertThat(memory.map(pair.first().fd(), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.ENODEV.result());
    pair.second().close();
    assertThat(memory.map(KERNEL.open("/tmp", Kernel.O_RDONLY), 0, 0, PAGE, true, true))
        .isNegative();
    assertThat(memory.map(KERNEL.epollCreate(), 0, 0, PAGE, true, true)).isNegative();
    assertThat(memory.map(1 << 20, 0, 0, PAGE, true, true)).isEqualTo(Errno.EBADF.result());
    assertThat(memory.count()).isZero();
  }

  @Test
  void aReadOnlyFileIsMappedForReading() throws DmaFaultException {
    file.write(3, (byte) 4);
    assertThat(memory.map(file.descriptor(Kernel.O_RDONLY), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.EACCES.result());
    assertThat(memory.map(file.descriptor(Kernel.O_RDONLY), 0, 0, PAGE, true, false)).isZero();
    assertThat(read(3, 1)).containsExactly(4);
    assertFault(3, () -> write(3, 5));
  }

  @Test
  void theClientSaysInWhichDirectionsItsMemoryIsUsed() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), 0, 0, PAGE, false, true)).isZero();
    assertThat(memory.map(-1, 0, PAGE, PAGE, true, false)).isZero();
    write(0, 1);
    assertFault(0, () -> read(0, 1));
    assertThat(read(PAGE, 1)).containsExactly(0);
    assertFault(PAGE, () -> write(PAGE, 1));
  }

  @Test
  void hugePagesAreMappedWhole() throws DmaFaultException {
    int huge = KERNEL.memoryFile("client", Kernel.MFD_HUGETLB, 4 << 20);
    assumeThat(huge).isNotNegative();
    int again = KERNEL.open("/proc/self/fd/" + huge, Kernel.O_RDWR);
    int result = memory.map(again, 2 << 20, 0, PAGE, true, true);
    KERNEL.close(huge);
    assumeThat(result).as("this machine has no huge pages").isZero();
    write(1, 1);
    assertThat(read(1, 1)).containsExactly(1);
    assertThat(memory.unmap(0, PAGE)).isZero();
  }

  @Test
  void aDeviceThatIsNoBusMasterReachesNothing() {
    assertThat(map(0, PAGE)).isZero();
    busMaster = false;
    assertFault(4, () -> read(4, 1));
    assertFault(4, () -> write(4, 1));
  }

  @Test
  void whatTheClientRefusesIsAFault() {
    assertThat(memory.map(-1, 0, 0, PAGE, true, true)).isZero();
    messages.answer = Errno.EPERM.result();
    assertFault(4, () -> read(4, 1));
    assertThatThrownBy(() -> write(4, 1)).hasMessageContaining("the client answers EPERM");
  }

  @Test
  void aFaultEndsOnlyTheAccessThatHadIt() throws DmaFaultException {
    assertThat(map(0, FILE_SIZE)).isZero();
    file.resize(PAGE);
    assertFault(2 * PAGE, () -> read(2 * PAGE, 8));
    assertFault(2 * PAGE, () -> write(2 * PAGE, 1, 2, 3));
    assertThat(read(8, 8)).hasSize(8);
    file.resize(FILE_SIZE);
    write(2 * PAGE, 1, 2, 3);
    assertThat(file.bytes(2 * PAGE, 3)).containsExactly(1, 2, 3);
  }

  @Test
  void nothingIsAllocatedForAnAccess() throws DmaFaultException {
    assertThat(map(0, FILE_SIZE / 2)).isZero();
    assertThat(
            memory.map(file.descriptor(), FILE_SIZE / 2, FILE_SIZE / 2, FILE_SIZE / 2, true, true))
        .isZero();
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined()) {
      var buffer = arena.allocate(8192);
      accessOften(buffer, 20_000);
      // The compiler may still change its mind, and what it interprets meanwhile allocates.
      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        accessOften(buffer, 1000);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  private void accessOften(MemorySegment buffer, int times) throws DmaFaultException {
    for (int i = 0; i < times; i++) {
      memory.read(i % FILE_SIZE & -16, buffer, 16, 16);
      memory.write(FILE_SIZE / 2 - 64, buffer, 0, 128);
      memory.read(PAGE, buffer, 0, 8192);
    }
  }

  /** A map in the naive model. */
  private record Mapped(long size, long fileOffset, boolean readable, boolean writable) {}

  @Test
  void behavesAsANaiveModelDoes() {
    long seed = 20_250_601;
    var random = new Random(seed);
    var content = new byte[FILE_SIZE];
    var maps = new TreeMap<Long, Mapped>();
    long pages = 48;
    for (int step = 0; step < 30_000; step++) {
      long iova = random.nextLong(pages) * PAGE;
      long size = (1 + random.nextLong(4)) * PAGE;
      int what = random.nextInt(10);
      if (what == 0) {
        long fileOffset = random.nextInt(16) * PAGE;
        boolean readable = random.nextInt(8) != 0;
        boolean writable = random.nextInt(8) != 0;
        int expected = expectedOfMap(maps, iova, size, fileOffset);
        assertThat(memory.map(file.descriptor(), fileOffset, iova, size, readable, writable))
            .isEqualTo(expected);
        if (expected == 0) {
          maps.put(iova, new Mapped(size, fileOffset, readable, writable));
        }
      } else if (what == 1) {
        var known = maps.get(iova);
        if (known != null && random.nextBoolean()) {
          size = known.size();
        }
        var inside = whollyWithin(maps, iova, size);
        assertThat(memory.unmap(iova, size))
            .isEqualTo(inside.isEmpty() ? Errno.ENOENT.result() : 0);
        maps.keySet().removeAll(inside);
      } else {
        access(random, maps, content, iova + random.nextInt((int) PAGE), what % 2 == 0);
      }
    }
    assertThat(file.bytes(0, FILE_SIZE)).isEqualTo(content);
  }

  /** The maps of a range; none where one is in it only in part. */
  private static List<Long> whollyWithin(NavigableMap<Long, Mapped> maps, long iova, long size) {
    List<Long> found = new ArrayList<>();
    for (var each : maps.entrySet()) {
      long start = each.getKey();
      long end = start + each.getValue().size();
      if (start < iova + size && iova < end) {
        if (start < iova || end > iova + size) {
          return List.of();
        }
        found.add(start);
      }
    }
    return found;
  }

  private static int expectedOfMap(
      NavigableMap<Long, Mapped> maps, long iova, long size, long fileOffset) {
    for (var each : maps.entrySet()) {
      if (iova < each.getKey() + each.getValue().size() && each.getKey() < iova + size) {
        return Errno.EEXIST.result();
      }
    }
    return fileOffset + size > FILE_SIZE ? Errno.EINVAL.result() : 0;
  }

  private void access(
      Random random, NavigableMap<Long, Mapped> maps, byte[] content, long iova, boolean write) {
    var bytes = new byte[random.nextInt(3) == 0 ? random.nextInt(9000) : random.nextInt(64)];
    random.nextBytes(bytes);
    var expected = bytes.clone();
    long faultAt = -1;
    for (int i = 0; i < bytes.length && faultAt < 0; i++) {
      long at = iova + i;
      var map = maps.floorEntry(at);
      boolean there = map != null && at < map.getKey() + map.getValue().size();
      if (!there || !(write ? map.getValue().writable() : map.getValue().readable())) {
        faultAt = at;
      } else {
        int place = (int) (map.getValue().fileOffset() + at - map.getKey());
        if (write) {
          content[place] = bytes[i];
        } else {
          expected[i] = content[place];
        }
      }
    }
    long found = -1;
    try {
      if (write) {
        memory.write(iova, MemorySegment.ofArray(bytes));
      } else {
        memory.read(iova, MemorySegment.ofArray(bytes));
      }
    } catch (DmaFaultException e) {
      found = e.iova();
    }
    assertThat(found).isEqualTo(faultAt);
    int checked = faultAt < 0 ? bytes.length : (int) (faultAt - iova);
    assertThat(Arrays.copyOf(bytes, checked)).isEqualTo(Arrays.copyOf(expected, checked));
  }
}
