// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Steps.sequence;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.linux.uapi.VfioRegionInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class RunnerTest {
  private static final Machine MACHINE =
      new Machine(
          List.of(
              new Machine.Group("7", "0000:01:00.0", "vfio0"),
              new Machine.Group("11", "0001:00:00.0", "vfio1")),
          List.of(new Machine.Group("3", "0002:00:00.0", "vfio2")));

  private static List<String> run(FakeKernel kernel, Consumer<Steps> steps) throws Exception {
    return new Runner(kernel, MACHINE)
        .run(sequence("test", steps), _ -> {}).stream().map(Answer::toString).toList();
  }

  @Test
  void placeholdersBecomeGroupsAndDevices() throws Exception {
    var names = new ArrayList<String>();
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            names.add(struct.getString(0));
            return 99;
          }
        };

    assertThat(run(kernel, s -> s.group("g1", 1).device("d1", "g1", 1)))
        .containsExactly("fd", "fd");
    assertThat(kernel.log).startsWith("open /dev/vfio/11");
    assertThat(names).containsExactly("0001:00:00.0");
  }

  @Test
  void whatIsLeftOpenIsClosedInReverse() throws Exception {
    var kernel = new FakeKernel();
    run(kernel, s -> s.container("c").group("g0", 0).close("c").group("g0", 0));

    int container = 11;
    assertThat(kernel.log)
        .containsExactly(
            "open /dev/vfio/vfio",
            "open /dev/vfio/7",
            "close " + container,
            "open /dev/vfio/7",
            "close 13",
            "close 16");
  }

  @Test
  void aFileThatIsNotOpenIsABadDescriptor() throws Exception {
    assertThat(
            run(
                new FakeKernel(),
                s -> s.setIommu("c", 1).close("c").status("g0").deviceInfo("d0", 24)))
        .containsExactly("EBADF", "EBADF", "EBADF", "EBADF");
  }

  @Test
  void outputsThatTheKernelDidNotWriteAreTold() throws Exception {
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            VfioRegionInfo.FLAGS.set(struct, 0);
            VfioRegionInfo.SIZE.set(struct, 0x4000);
            return 0;
          }
        };

    assertThat(run(kernel, s -> s.open("d0", "x").regionInfo("d0", 0, 32)))
        .containsExactly(
            "fd", "0 argsz=0x20 flags=0x0 cap_offset=unwritten size=0x4000 offset=unwritten");
  }

  @Test
  void aFailedCallHasNoOutputsExceptThoseItWrote() throws Exception {
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            if (command.equals(Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE)) {
              VfioIommuSpaprTceCreate.START_ADDR.set(struct, 1L << 59);
            }
            return -28;
          }
        };

    assertThat(run(kernel, s -> s.open("c", "x").createWindow("w", 12, 1, 1).spaprInfo("c")))
        .containsExactly("fd", "ENOSPC start_addr=0x800000000000000", "ENOSPC");
  }

  @Test
  void anOutputIsKeptForLaterSteps() throws Exception {
    var iovas = new ArrayList<Long>();
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            if (command.equals(Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE)) {
              VfioIommuSpaprTceCreate.START_ADDR.set(struct, 0x8000);
            } else {
              iovas.add(struct.get(ValueLayout.JAVA_LONG, 8));
            }
            return 0;
          }
        };
    run(
        kernel,
        s ->
            s.open("c", "x")
                .removeWindow(Operand.value("w"))
                .createWindow("w", 12, 1, 1)
                .removeWindow(Operand.value("w", 0x10)));

    assertThat(iovas).containsExactly(0L, 0x8010L);
  }

  @Test
  void aChainOfCapabilitiesIsDecoded() throws Exception {
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            VfioIommuType1Info.FLAGS.set(struct, 3);
            VfioIommuType1Info.IOVA_PGSIZES.set(struct, 0x1000);
            VfioIommuType1Info.CAP_OFFSET.set(struct, 24);
            capability(struct, 24, 3, 1, 40);
            struct.set(ValueLayout.JAVA_INT, 32, 65535);
            capability(struct, 40, 1, 1, 0);
            struct.set(ValueLayout.JAVA_INT, 48, 1);
            struct.set(ValueLayout.JAVA_LONG, 64, 0xfff);
            return 0;
          }
        };

    assertThat(run(kernel, s -> s.open("c", "x").type1Info("c", 256)).getLast())
        .isEqualTo(
            "0 argsz=0x100 flags=0x3 iova_pgsizes=0x1000 cap_offset=0x18 cap3.v1[ffff000000000000]"
                + " cap1.v1[01000000000000000000000000000000ff0f000000000000]");
  }

  private static void capability(MemorySegment struct, long at, int id, int version, int next) {
    struct.set(ValueLayout.JAVA_SHORT, at, (short) id);
    struct.set(ValueLayout.JAVA_SHORT, at + 2, (short) version);
    struct.set(ValueLayout.JAVA_INT, at + 4, next);
  }

  @Test
  void lockedMemoryCountsFromTheStartOfTheSequence() throws Exception {
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            lockedKilobytes += 64;
            return 1;
          }
        };
    kernel.lockedKilobytes = 1000;

    assertThat(run(kernel, s -> s.open("c", "x").status("c").status("c")))
        .containsExactly(
            "fd", "1 flags=unwritten locked +64 kB", "1 flags=unwritten locked +128 kB");
  }

  @Test
  void bytesReadAreShownInHexadecimal() throws Exception {
    assertThat(run(new FakeKernel(), s -> s.open("d0", "x").readAt("d0", 0, 4)))
        .containsExactly("fd", "3 0102ff");
  }

  @Test
  void aKernelThatThrowsIsAnAnswerToo() throws Exception {
    var kernel =
        new FakeKernel() {
          @Override
          int answer(Ioctl command, MemorySegment struct) {
            throw new IllegalStateException("no\nsuch thing");
          }
        };

    assertThat(run(kernel, s -> s.open("c", "x").status("c").close("c")))
        .containsExactly("fd", "threw java.lang.IllegalStateException: no such thing", "0");
  }

  @Test
  void theRealKernelAnswersToo() throws Exception {
    var sequence =
        sequence(
            "real",
            s ->
                s.open("f", "/dev/null")
                    .command("f", Vfio.VFIO_GET_API_VERSION)
                    .status("f")
                    .memory("m", 1 << 20)
                    .hole("m", 0, 1 << 20)
                    .hole("m", 1, 1)
                    .readAt("f", 0, 8)
                    .close("f")
                    .status("f")
                    .open("g", "/dev/vfio/no such group"));

    assertThat(new Runner(LinuxKernel.instance(), MACHINE).run(sequence, _ -> {}))
        .extracting(Answer::result)
        .containsExactly(
            "fd", "ENOTTY", "ENOTTY", "mapped", "0", "EINVAL", "0", "0", "EBADF", "ENOENT");
  }
}
