// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The admin commands, by their status codes and data. */
class NvmeAdminTest {
  private static final int DNR = 0x4000;
  private static final long SIZE = 1 << 20;

  private final NvmeHost host = new NvmeHost(NvmeModel.inMemory("SERIAL", SIZE));

  @BeforeEach
  void enable() {
    host.enable();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private int status(Command command) {
    return host.admin.run(command).status();
  }

  private String text(long offset, int length) {
    byte[] bytes = host.memory.asSlice(DATA + offset, length).toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  private static Command identify(int structure, int namespace) {
    return new Command(0x06, namespace, DATA, 0, structure, 0, 0);
  }

  private static Command createCq(int id, int entries, int cdw11) {
    return Command.admin(0x05, id | ((entries - 1) << 16), cdw11).at(0x8000);
  }

  private static Command createSq(int id, int entries, int cdw11) {
    return Command.admin(0x01, id | ((entries - 1) << 16), cdw11).at(0x9000);
  }

  @Test
  void identifiesTheController() {
    assertThat(status(identify(1, 0))).isZero();

    assertThat(host.memory.get(LE16, DATA)).isEqualTo((short) 0x1b36);
    assertThat(host.memory.get(LE16, DATA + 2)).isEqualTo((short) 0x1af4);
    assertThat(text(4, 20)).isEqualTo("SERIAL" + " ".repeat(14));
    assertThat(text(24, 40)).isEqualTo("jvfio NVMe model" + " ".repeat(24));
    assertThat(text(64, 8)).isEqualTo("1.0     ");
    assertThat(host.memory.get(LE8, DATA + 77)).as("MDTS").isEqualTo((byte) 7);
    assertThat(host.memory.get(LE32, DATA + 80)).as("VER").isEqualTo(0x10400);
    assertThat(host.memory.get(LE8, DATA + 512)).as("SQES").isEqualTo((byte) 0x66);
    assertThat(host.memory.get(LE8, DATA + 513)).as("CQES").isEqualTo((byte) 0x44);
    assertThat(host.memory.get(LE32, DATA + 516)).as("NN").isEqualTo(1);
    assertThat(text(768, 38)).isEqualTo("nqn.2026-11.io.jvfio:nvme-model:SERIAL");
  }

  @Test
  void identifiesTheNamespace() {
    assertThat(status(identify(0, 1))).isZero();

    assertThat(host.memory.get(LE64, DATA)).isEqualTo(SIZE / 512);
    assertThat(host.memory.get(LE64, DATA + 8)).isEqualTo(SIZE / 512);
    assertThat(host.memory.get(LE8, DATA + 26)).as("FLBAS").isZero();
    assertThat(host.memory.get(LE32, DATA + 128)).as("LBAF0").isEqualTo(9 << 16);
  }

  @Test
  void listsTheNamespaceAndItsIdentifiers() {
    assertThat(status(identify(2, 0))).isZero();
    assertThat(host.memory.get(LE64, DATA)).isEqualTo(1);
    assertThat(status(identify(2, 1))).isZero();
    assertThat(host.memory.get(LE64, DATA)).isZero();

    assertThat(status(identify(3, 1))).isZero();
    assertThat(host.memory.get(LE16, DATA)).as("a UUID of 16 bytes").isEqualTo((short) 0x1003);
    assertThat(host.memory.get(LE32, DATA + 4)).isNotZero();
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0, 0x0b", // no namespace
    "0, 2, 0x0b", // a namespace that there is not
    "0, -1, 0x0b", // all of them, without namespace management
    "2, -1, 0x0b",
    "2, -2, 0x0b",
    "3, 2, 0x0b",
    "9, 1, 0x02"
  })
  void refusesToIdentifyWhatIsNotThere(int structure, int namespace, String code) {
    assertThat(status(identify(structure, namespace))).isEqualTo(Integer.decode(code) | DNR);
  }

  @Test
  void writesAcrossTwoPagesWhenTheDataHasAnOffset() {
    assertThat(status(identify(1, 0).at(DATA + 0x800, DATA + 0x4000))).isZero();

    assertThat(host.memory.get(LE16, DATA + 0x800)).isEqualTo((short) 0x1b36);
    assertThat(host.memory.get(LE16, DATA + 0x4000)).as("power state 0").isEqualTo((short) 2500);
  }

  @Test
  void reportsADataTransferErrorWhenTheDataCannotBeReached() {
    assertThat(status(identify(1, 0).at(NvmeHost.MEMORY_SIZE))).isEqualTo(0x04);
    assertThat(host.status()).isEqualTo(1);
  }

  @Test
  void createsAndDeletesQueuesInOrder() {
    assertThat(status(createCq(1, 16, 1))).isZero();
    assertThat(status(createSq(1, 16, 1 | (1 << 16)))).isZero();
    assertThat(status(createSq(2, 16, 1 | (1 << 16)).at(0xa000))).isZero();

    assertThat(status(Command.admin(0x04, 1, 0))).as("still in use").isEqualTo(0x10c | DNR);
    assertThat(status(Command.admin(0x00, 1, 0))).isZero();
    assertThat(status(Command.admin(0x04, 1, 0))).as("by the other").isEqualTo(0x10c | DNR);
    assertThat(status(Command.admin(0x00, 2, 0))).isZero();
    assertThat(status(Command.admin(0x04, 1, 0))).isZero();

    assertThat(status(Command.admin(0x00, 1, 0))).as("gone").isEqualTo(0x101 | DNR);
    assertThat(status(Command.admin(0x04, 1, 0))).as("gone").isEqualTo(0x101 | DNR);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 16, 1, 0x101", // the admin queue
    "65, 16, 1, 0x101", // more than there are
    "1, 1, 1, 0x102", // one entry
    "1, 2049, 1, 0x102", // more than CAP.MQES
    "1, 16, 0, 0x002", // in pieces
    "1, 16, 0x00410001, 0x108" // vector 65
  })
  void refusesABadCompletionQueue(int id, int entries, String cdw11, String code) {
    var command = createCq(id, entries, Integer.decode(cdw11));

    assertThat(status(command)).isEqualTo(Integer.decode(code) | DNR);
  }

  @Test
  void refusesQueuesThatAreMisplacedOrThereAlready() {
    assertThat(status(createCq(1, 16, 1).at(0x8008))).isEqualTo(0x013 | DNR);
    assertThat(status(createCq(1, 16, 1).at(0))).isEqualTo(0x013 | DNR);
    assertThat(status(createCq(1, 2048, 1 | (64 << 16)))).isZero();
    assertThat(status(createCq(1, 16, 1))).isEqualTo(0x101 | DNR);
    assertThat(status(createSq(1, 16, 1 | (1 << 16)))).isZero();
    assertThat(status(createSq(1, 16, 1 | (1 << 16)))).isEqualTo(0x101 | DNR);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 16, 0x00000001, 0x100", // to the admin completion queue
    "1, 16, 0x00020001, 0x100", // to one that there is not
    "0, 16, 0x00010001, 0x101",
    "65, 16, 0x00010001, 0x101",
    "1, 1, 0x00010001, 0x102",
    "1, 2049, 0x00010001, 0x102",
    "1, 16, 0x00010000, 0x002"
  })
  void refusesABadSubmissionQueue(int id, int entries, String cdw11, String code) {
    assertThat(status(createCq(1, 16, 1))).isZero();

    var command = createSq(id, entries, Integer.decode(cdw11));
    assertThat(status(command)).isEqualTo(Integer.decode(code) | DNR);
  }

  @Test
  void refusesIoQueuesUntilTheEntrySizesAreSet() {
    host.configure(0);
    host.enable();
    host.configure(0x0000_0001);

    assertThat(status(createCq(1, 16, 1))).isEqualTo(0x002 | DNR);
  }

  @Test
  void grants64QueuePairsButOnlyBeforeThereAreAny() {
    var completion = host.admin.run(Command.admin(0x09, 0x07, 0));
    assertThat(completion.status()).isZero();
    assertThat(completion.result()).isEqualTo(0x003f_003f);
    assertThat(host.admin.run(Command.admin(0x0a, 0x07, 0)).result()).isEqualTo(0x003f_003f);
    assertThat(status(Command.admin(0x09, 0x07, 0xffff))).isEqualTo(0x002 | DNR);

    host.createIoQueues();
    assertThat(status(Command.admin(0x09, 0x07, 0))).isEqualTo(0x00c | DNR);
  }

  @Test
  void keepsFeaturesUntilTheControllerIsReset() {
    assertThat(host.admin.run(Command.admin(0x0a, 0x06, 0)).result()).isEqualTo(1);
    assertThat(status(Command.admin(0x09, 0x06, 0))).isZero();
    assertThat(host.admin.run(Command.admin(0x0a, 0x06, 0)).result()).isZero();

    host.configure(0);
    host.enable();
    assertThat(host.admin.run(Command.admin(0x0a, 0x06, 0)).result()).isEqualTo(1);
  }

  @Test
  void configuresEachInterruptVectorByItself() {
    assertThat(status(Command.admin(0x09, 0x09, 64 | (1 << 16)))).isZero();

    assertThat(host.admin.run(Command.admin(0x0a, 0x09, 64)).result()).isEqualTo(64 | (1 << 16));
    assertThat(host.admin.run(Command.admin(0x0a, 0x09, 63)).result()).isEqualTo(63);
    assertThat(status(Command.admin(0x0a, 0x09, 65))).isEqualTo(0x002 | DNR);
    assertThat(status(Command.admin(0x09, 0x09, 65))).isEqualTo(0x002 | DNR);
  }

  @ParameterizedTest
  @ValueSource(ints = {0x01, 0x02, 0x04, 0x05, 0x08, 0x0a, 0x0b})
  void hasTheMandatoryFeatures(int feature) {
    assertThat(status(Command.admin(0x0a, feature, 0))).isZero();
    assertThat(status(Command.admin(0x09, feature, 0))).isZero();
    assertThat(status(Command.admin(0x09, feature | (1 << 31), 0))).isEqualTo(0x10d | DNR);
  }

  @Test
  void refusesFeaturesAndValuesThatItDoesNotHave() {
    assertThat(status(Command.admin(0x0a, 0x80, 0))).isEqualTo(0x002 | DNR);
    assertThat(status(Command.admin(0x09, 0x80, 0))).isEqualTo(0x002 | DNR);
    assertThat(status(Command.admin(0x0a, 0x06 | (4 << 8), 0))).isEqualTo(0x002 | DNR);
    assertThat(status(Command.admin(0x09, 0x02, 1))).as("power state 1").isEqualTo(0x002 | DNR);
  }

  @Test
  void countsWhatItDidInTheSmartLog() {
    host.createIoQueues();
    for (int i = 0; i < 3; i++) {
      host.io.run(NvmeHost.blocks(0x01, 0, 8));
    }
    host.io.run(NvmeHost.blocks(0x02, 0, 1));

    assertThat(status(Command.admin(0x02, 0x02 | (127 << 16), 0).at(DATA))).isZero();

    assertThat(host.memory.get(LE8, DATA)).as("no warning").isZero();
    assertThat(host.memory.get(LE8, DATA + 3)).as("spare").isEqualTo((byte) 100);
    assertThat(host.memory.get(LE64, DATA + 32)).as("units read, rounded up").isEqualTo(1);
    assertThat(host.memory.get(LE64, DATA + 64)).as("reads").isEqualTo(1);
    assertThat(host.memory.get(LE64, DATA + 80)).as("writes").isEqualTo(3);
    assertThat(host.memory.get(LE64, DATA + 176)).as("errors").isZero();
  }

  @Test
  void remembersTheLastErrors() {
    status(Command.admin(0x7f, 0, 0));
    int commandId = host.admin.nextCommandId;
    status(identify(0, 9));

    assertThat(status(Command.admin(0x02, 0x01 | (31 << 16), 0).at(DATA))).isZero();

    assertThat(host.memory.get(LE64, DATA)).as("count").isEqualTo(2);
    assertThat(host.memory.get(LE16, DATA + 8)).as("queue").isZero();
    assertThat(host.memory.get(LE16, DATA + 10)).isEqualTo((short) commandId);
    assertThat(host.memory.get(LE16, DATA + 12)).isEqualTo((short) ((0x00b | DNR) << 1));
    assertThat(host.memory.get(LE32, DATA + 24)).as("namespace").isEqualTo(9);
    assertThat(host.memory.get(LE64, DATA + 64)).as("the one before").isEqualTo(1);
    assertThat(host.memory.get(LE16, DATA + 64 + 12)).isEqualTo((short) ((0x001 | DNR) << 1));
  }

  @Test
  void tellsItsFirmwareAndWritesNoMoreThanWasAskedFor() {
    host.memory.set(LE64, DATA + 16, -1);

    assertThat(status(Command.admin(0x02, 0x03 | (3 << 16), 0).at(DATA))).isZero();

    assertThat(host.memory.get(LE8, DATA)).isEqualTo((byte) 1);
    assertThat(text(8, 8)).isEqualTo("1.0     ");
    assertThat(host.memory.get(LE64, DATA + 16)).isEqualTo(-1);
  }

  @Test
  void readsLogPagesFromAnOffset() {
    var command = new Command(0x02, 0, DATA, 0, 0x03 | (1 << 16), 0, 8);
    assertThat(status(command)).isZero();
    assertThat(text(0, 8)).isEqualTo("1.0     ");

    var behind = new Command(0x02, 0, DATA, 0, 0x03 | (1 << 16), 0, 512);
    assertThat(status(behind)).isEqualTo(0x002 | DNR);
    assertThat(status(Command.admin(0x02, 0x77, 0).at(DATA))).isEqualTo(0x109 | DNR);
  }

  @Test
  void refusesUnknownCommandsFusedOnesAndScatterGatherLists() {
    assertThat(status(Command.admin(0x7f, 0, 0))).isEqualTo(0x001 | DNR);
    for (int flags : new int[] {0x01, 0x02, 0x40, 0x80}) {
      host.admin.put(identify(1, 0), flags);
      host.admin.ring();
      assertThat(host.admin.takeAll().getFirst().status()).isEqualTo(0x002 | DNR);
      host.admin.acknowledge();
    }
  }

  @Test
  void holdsEventRequestsAndAbortsThem() {
    var request = Command.admin(0x0c, 0, 0);
    int commandId = host.admin.put(request);
    for (int i = 1; i < 4; i++) {
      host.admin.put(request);
    }
    host.admin.ring();
    assertThat(host.admin.takeAll()).isEmpty();
    assertThat(status(request)).as("one too many").isEqualTo(0x105 | DNR);

    host.admin.put(Command.admin(0x08, commandId << 16, 0));
    host.admin.ring();
    var completions = host.admin.takeAll();
    host.admin.acknowledge();

    assertThat(completions).hasSize(2);
    assertThat(completions.getFirst().result()).as("aborted").isZero();
    assertThat(completions.getLast().commandId()).isEqualTo(commandId);
    assertThat(completions.getLast().status()).isEqualTo(0x007);
    assertThat(host.admin.run(Command.admin(0x08, 77 << 16, 0)).result()).isEqualTo(1);
  }

  @Test
  void reportsABadDoorbellOnceUntilTheErrorLogIsRead() {
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.ring();

    host.write(0x1000 + 8 * 5, 1); // no such queue
    var event = host.admin.takeAll();
    host.admin.acknowledge();
    assertThat(event).hasSize(1);
    assertThat(event.getFirst().result()).isEqualTo(0x0001_0000);

    host.write(0x1000, NvmeHost.ADMIN_ENTRIES); // a tail behind the end
    assertThat(host.admin.takeAll()).as("masked").isEmpty();

    status(Command.admin(0x02, 0x01 | (15 << 16), 0).at(DATA));
    host.write(0x1000, NvmeHost.ADMIN_ENTRIES);
    var next = host.admin.takeAll();
    host.admin.acknowledge();
    assertThat(next).hasSize(1);
    assertThat(next.getFirst().result()).isEqualTo(0x0001_0100);
  }

  @Test
  void tellsAnEventThatCameBeforeItsRequest() {
    host.write(0x1004, 3); // more completions taken than were posted

    assertThat(host.admin.run(Command.admin(0x0c, 0, 0)).result()).isEqualTo(0x0001_0100);
  }

  @Test
  void forgetsHeldRequestsWithAReset() {
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.ring();
    host.configure(0);
    host.enable();

    host.write(0x1000 + 8 * 5, 1);

    assertThat(host.admin.takeAll()).isEmpty();
  }
}
