// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.memory;
import static io.jvfio.lab.Steps.sequence;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;
import org.junit.jupiter.api.Test;

class CampaignTest {
  private static final Machine MACHINE =
      new Machine(
          List.of(
              new Machine.Group("7", "0000:01:00.0", "vfio0"),
              new Machine.Group("11", "0001:00:00.0", "vfio1")),
          List.of());
  private static final Duration MINUTE = Duration.ofMinutes(1);

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  private String printed() {
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /** Answers what the other does, except to an unmap after an enable. */
  private static class Liar extends FakeKernel {
    private boolean enabled;

    @Override
    public int open(String path, int flags, int mode) {
      enabled &= path.equals(STATUS);
      return super.open(path, flags, mode);
    }

    @Override
    public int ioctl(int fd, Ioctl command, long argument) {
      enabled |= fd >= 0 && command.equals(Vfio.VFIO_IOMMU_ENABLE);
      return super.ioctl(fd, command, argument);
    }

    @Override
    int answer(Ioctl command, MemorySegment struct) {
      return enabled && command.equals(Vfio.VFIO_IOMMU_UNMAP_DMA)
          ? Errno.EPERM.result()
          : super.answer(command, struct);
    }
  }

  private Campaign campaign(FakeKernel kernel, Campaign.Alarms alarms) {
    return new Campaign(
        new Runner(kernel, MACHINE),
        new Runner(new FakeKernel(), MACHINE),
        alarms,
        Transcript.Progress.NONE,
        out);
  }

  private static LongFunction<Sequence> always(Sequence sequence) {
    return _ -> sequence;
  }

  private static Sequence unrelatedAround() {
    return sequence(
        "seed-1",
        s -> {
          s.container("c").group("g", 0);
          for (int i = 0; i < 9; i++) {
            s.status("g").check("c", i);
          }
          s.enable("c");
          for (int i = 0; i < 9; i++) {
            s.type1Info("c", 24).status("g");
          }
          s.unmap(0, 0x1000).disable("c").status("g");
        });
  }

  @Test
  void aDifferenceIsShortenedToWhatProvokesIt() throws Exception {
    var tally =
        campaign(new Liar(), Campaign.Alarms.NONE)
            .run(new Campaign.Extent(1, 1, MINUTE), always(unrelatedAround()));

    assertThat(tally.differences()).isEqualTo(1);
    assertThat(printed())
        .isEqualToNormalizingNewlines(
            """
            DIFFERENCE seed-1, step 40 of 42, shortened to 3 steps
              1  c=open(/dev/vfio/vfio,2)  ->  fd
              2  ioctl(c,VFIO_IOMMU_ENABLE,0)  ->  0
              3  ioctl(c,VFIO_IOMMU_UNMAP_DMA,{argsz=0x18 flags=0 iova=0 size=0x1000})
                   kernel:    EPERM
                   simulator: ENOTTY
            """);
  }

  @Test
  void aDifferenceThatDoesNotComeBackIsShownWhole() throws Exception {
    var once =
        new FakeKernel() {
          private boolean told;

          @Override
          int answer(Ioctl command, MemorySegment struct) {
            if (told) {
              return super.answer(command, struct);
            }
            told = true;
            return Errno.EIO.result();
          }
        };
    campaign(once, Campaign.Alarms.NONE)
        .run(
            new Campaign.Extent(5, 1, MINUTE),
            always(sequence("seed-5", s -> s.group("g", 0).status("g").status("g"))));

    assertThat(printed())
        .startsWith("DIFFERENCE seed-5, step 2 of 3, not again when repeated")
        .contains("kernel:    EIO", "  3  ");
  }

  @Test
  void aWarningIsAttributedToItsSequenceAndShortened() throws Exception {
    var said = new ArrayList<String>();
    var kernel =
        new FakeKernel() {
          @Override
          public int ioctl(int fd, Ioctl command, long argument) {
            if (command.equals(Vfio.VFIO_IOMMU_ENABLE)) {
              said.add("WARNING: CPU: 0 PID: 1 at enable.c:1");
            }
            return super.ioctl(fd, command, argument);
          }
        };
    var tally =
        campaign(
                kernel,
                () -> {
                  var taken = List.copyOf(said);
                  said.clear();
                  return taken;
                })
            .run(
                new Campaign.Extent(1, 50, MINUTE),
                seed ->
                    seed == 1
                        ? sequence("seed-1", s -> s.container("c").status("c"))
                        : unrelatedAround());

    assertThat(tally.alarms()).isEqualTo(2);
    assertThat(tally.differences()).isZero();
    assertThat(printed())
        .contains(
            "ALARM WARNING: CPU: 0 PID: 1 at enable.c:1",
            "by seed-1 of 42 steps, shortened to 1",
            "  1  ioctl(c,VFIO_IOMMU_ENABLE,0)  ->  EBADF");
  }

  @Test
  void enoughCallsEndIt() throws Exception {
    var tally =
        campaign(new FakeKernel(), Campaign.Alarms.NONE)
            .run(new Campaign.Extent(11, 100, MINUTE), always(unrelatedAround()));
    tally.plus(tally).print(out);

    assertThat(tally.calls()).isEqualTo(126);
    assertThat(printed())
        .contains("seeds        11..13, 11..13", "generated    6", "compared     252");
  }

  @Test
  void timeEndsItToo() throws Exception {
    var tally =
        campaign(new FakeKernel(), Campaign.Alarms.NONE)
            .run(new Campaign.Extent(1, 100, Duration.ZERO), always(unrelatedAround()));

    assertThat(tally.calls()).isZero();
  }

  @Test
  void whatWouldHarmTheKernelEndsASequenceBeforeTheKernelIsAsked() throws Exception {
    try (var one = SimulatedHosts.open("pseries-6.12");
        var other = SimulatedHosts.open("pseries-6.12")) {
      var asked = new ArrayList<Step>();
      var campaign =
          new Campaign(
              new Runner(one.kernel(), Machine.discover(one.kernel())),
              new Runner(other.kernel(), Machine.discover(other.kernel())),
              Campaign.Alarms.NONE,
              new Transcript.Progress() {
                @Override
                public void begin(Step step) {
                  asked.add(step);
                }
              },
              out);
      var tally =
          campaign.run(
              new Campaign.Extent(1, 1, MINUTE),
              always(
                  sequence(
                      "seed-1",
                      s ->
                          s.ready(Vfio.VFIO_SPAPR_TCE_v2_IOMMU)
                              .memory("m", 1 << 20)
                              .register(memory("m"), 1 << 20)
                              .map(memory("m"), (1 << 30) - 0x1000, 0x2000)
                              .spaprInfo("c"))));

      assertThat(tally.calls()).isEqualTo(6);
      assertThat(asked).hasSize(7);
      assertThat(printed()).isEmpty();
    }
  }
}
