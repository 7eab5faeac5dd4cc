// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.Payload;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageDecoderTest {
  private static final MessageDescriptor EVENT =
      new MessageDescriptor(
          MessageDescriptor.Kind.EVENTFD, "anon_inode:[eventfd]", OptionalLong.empty());

  private final MessageDecoder decoder = new MessageDecoder();
  private long now;

  private DecodedMessage toServer(Bytes message, MessageDescriptor... descriptors) {
    return decoder.decode(
        MessageDirection.TO_SERVER, message.message(), List.of(descriptors), now++);
  }

  private DecodedMessage toClient(Bytes message, MessageDescriptor... descriptors) {
    return decoder.decode(
        MessageDirection.TO_CLIENT, message.message(), List.of(descriptors), now++);
  }

  /** The reply to a command with the same header. */
  private DecodedMessage answer(Bytes reply, MessageDescriptor... descriptors) {
    var message = reply.message();
    int number = ByteBuffer.wrap(message).order(ByteOrder.nativeOrder()).getShort(2);
    toServer(Bytes.command(number));
    return decoder.decode(MessageDirection.TO_CLIENT, message, List.of(descriptors), now++);
  }

  private static String text(DecodedMessage message) {
    assertThat(message.problems()).isEmpty();
    return message.toText(false);
  }

  @Test
  void readsVersionsWithTheirCapabilities() {
    var json = "{\"capabilities\":{\"max_msg_fds\":8,\"new\":[1]}}";
    assertThat(text(toServer(Bytes.command(1).u16(0).u16(1).text(json).bytes(0))))
        .isEqualTo("-> #0001 VERSION major 0 minor 1 version_data " + json);
    assertThat(toServer(Bytes.command(1).u16(0).u16(1)).problems()).isEmpty();
  }

  /** Whoever adds a field to a message is told here that nobody would see it. */
  @Test
  void tellsEveryFieldThatACommandIsDeclaredWith() {
    for (var command : Command.values()) {
      var way = command.isFromServer() ? MessageDirection.TO_CLIENT : MessageDirection.TO_SERVER;
      var message = Payload.of(command.struct()).message(1, command.number(), Header.COMMAND);
      var told =
          decoder.decode(way, message, List.of(), now++).fields().stream()
              .map(MessageField::name)
              .toList();
      for (var field : command.struct().fields()) {
        // The flags of a feature are told as what they have in them.
        boolean isParted = command == Command.DEVICE_FEATURE && field.name().equals("flags");
        assertThat(told).as("%s", command).contains(isParted ? "feature" : field.name());
      }
    }
  }

  @Test
  void saysWhatIsWrongWithCapabilities() {
    assertThat(toServer(Bytes.command(1).u16(0).u16(1).text("{}")).problems())
        .containsExactly("the text has no NUL at its end");
    var broken = toServer(Bytes.command(1).u16(0).u16(1).text("{\"a\u001b[2J\": {").bytes(0));
    assertThat(broken.problems()).containsExactly("capabilities that are no JSON");
    assertThat(broken.toText(true)).contains("{\"a\\u001b[2J\": {").doesNotContain("\u001b");
    assertThat(
            toServer(
                    Bytes.command(1)
                        .u16(0)
                        .u16(1)
                        .text("{\"capabilities\":{\"max_msg_fds\":\"x\"}}")
                        .bytes(0))
                .problems())
        .containsExactly("a max_msg_fds of no number");
  }

  @Test
  void readsMapsAndUnmaps() {
    var memory =
        new MessageDescriptor(MessageDescriptor.Kind.MEMORY, "ram", OptionalLong.of(1 << 20));
    assertThat(
            text(
                toServer(
                    Bytes.command(2).u32(32).u32(3).u64(0x1000).u64(0xfee00000L).u64(1 << 20),
                    memory)))
        .isEqualTo(
            "-> #0001 DMA_MAP argsz 32 bytes flags READ|WRITE offset 0x1000 address 0xfee00000"
                + " size 1 MiB +1 fd [memfd:ram of 1 MiB]");
    assertThat(text(toServer(Bytes.command(3).u32(24).u32(0).u64(0x1000).u64(4096))))
        .isEqualTo("-> #0001 DMA_UNMAP argsz 24 bytes flags 0 address 0x1000 size 4 KiB");
    assertThat(
            text(
                answer(
                    Bytes.reply(3).u32(48).u32(1).u64(0x1000).u64(4096).u64(4096).u64(8).u64(1))))
        .contains(
            "flags GET_DIRTY_BITMAP",
            "bitmap_pgsize 4 KiB bitmap_size 8 bytes bitmap [01 00 00 00 00 00 00 00]");
  }

  @Test
  void readsWhatADeviceHas() {
    assertThat(text(answer(Bytes.reply(4).u32(16).u32(3).u32(9).u32(5))))
        .contains("DEVICE_GET_INFO reply argsz 16 bytes flags RESET|PCI num_regions 9 num_irqs 5");
    assertThat(text(answer(Bytes.reply(7).u32(16).u32(0x9).u32(2).u32(2048))))
        .contains("argsz 16 bytes flags EVENTFD|NORESIZE index MSI-X count 2048");
  }

  @Test
  void readsRegionsWithTheirCapabilities() {
    var info =
        Bytes.reply(5)
            .u32(104)
            .u32(0xf)
            .u32(0)
            .u32(32)
            .u64(0x4000)
            .u64(0x10000)
            .u16(1)
            .u16(1)
            .u32(80)
            .u32(2)
            .u32(0)
            .u64(0x1000)
            .u64(0x1000)
            .u64(0x3000)
            .u64(0x1000)
            .u16(2)
            .u16(1)
            .u32(96)
            .u32(3)
            .u32(7)
            .u16(3)
            .u16(1)
            .u32(0);
    assertThat(text(answer(info, EVENT)))
        .contains(
            "flags READ|WRITE|MMAP|CAPS index BAR0 cap_offset 32 bytes size 16 KiB offset 0x10000"
                + " capabilities [{id SPARSE_MMAP version 1 next 80 bytes nr_areas 2 areas"
                + " [{offset 0x1000 size 4 KiB} {offset 0x3000 size 4 KiB}]}"
                + " {id TYPE version 1 next 96 bytes type 3 subtype 7}"
                + " {id MSIX_MAPPABLE version 1 next 0 bytes}]");
  }

  @Test
  void saysWhatIsWrongWithRegions() {
    var circle =
        Bytes.reply(5).u32(40).u32(8).u32(0).u32(32).u64(0x4000).u64(0).u16(3).u16(1).u32(32);
    assertThat(answer(circle).problems()).containsExactly("a capability at offset 32");
    var outside =
        Bytes.reply(5).u32(40).u32(8).u32(0).u32(40).u64(0x4000).u64(0).u16(3).u16(1).u32(32);
    assertThat(answer(outside).problems()).containsExactly("a capability at offset 40");
    var unmappable = Bytes.reply(5).u32(32).u32(12).u32(0).u32(32).u64(0x4000).u64(0).u64(3);
    assertThat(answer(unmappable).problems())
        .contains("a region that can be mapped, and no descriptor");
    // The first answer only tells how much room the second one needs.
    var small = Bytes.reply(5).u32(64).u32(7).u32(0).u32(0).u64(0x4000).u64(0);
    assertThat(answer(small).problems()).isEmpty();
  }

  @Test
  void readsDescriptorsOfRegionsInBothLayouts() {
    var specified =
        Bytes.reply(6)
            .u32(56)
            .u32(0)
            .u32(0)
            .u32(1)
            .u64(0x1000)
            .u64(4)
            .u32(0)
            .u32(0)
            .u32(1)
            .u32(0)
            .u64(0xab);
    assertThat(text(answer(specified, EVENT)))
        .contains(
            "sub_regions [{offset 0x1000 size 4 bytes fd_index 0 type ioeventfd flags DATAMATCH"
                + " datamatch 0xab}] +1 fd [eventfd]");
    var shadowed =
        Bytes.reply(6)
            .u32(64)
            .u32(0)
            .u32(0)
            .u32(1)
            .u64(0x1000)
            .u64(4)
            .u32(0)
            .u32(2)
            .u32(0)
            .u32(1)
            .u64(0x80)
            .u64(0);
    assertThat(text(answer(shadowed, EVENT, EVENT)))
        .contains("type ioeventfd-shadow flags 0 shadow_mem_fd_index 1 shadow_offset 0x80");
    assertThat(answer(specified).problems()).containsExactly("descriptor 0 of 0");
    assertThat(answer(Bytes.reply(6).u32(20).u32(0).u32(0).u32(3).u32(1)).problems())
        .contains("entries of 1 byte");
  }

  @Test
  void readsSettingsOfInterrupts() {
    assertThat(
            text(toServer(Bytes.command(8).u32(20).u32(0x24).u32(2).u32(1).u32(2), EVENT, EVENT)))
        .isEqualTo(
            "-> #0001 DEVICE_SET_IRQS argsz 20 bytes flags DATA_EVENTFD|ACTION_TRIGGER index MSI-X"
                + " start 1 count 2 +2 fd [eventfd, eventfd]");
    assertThat(text(toServer(Bytes.command(8).u32(22).u32(0x22).u32(0).u32(0).u32(2).bytes(1, 0))))
        .contains("flags DATA_BOOL|ACTION_TRIGGER index INTx start 0 count 2 data [01 00]");
    assertThat(toServer(Bytes.command(8).u32(20).u32(0x3f).u32(2).u32(1).u32(2), EVENT).problems())
        .containsExactly(
            "not one type of data",
            "not one action",
            "has 0 bytes of data where it tells of 2 bytes",
            "1 descriptors for 2 interrupts");
    assertThat(toServer(Bytes.command(8).u32(20).u32(0x21).u32(2).u32(1).u32(1), EVENT).problems())
        .containsExactly("descriptors, and no such data");
  }

  @Test
  void readsAccesses() {
    assertThat(text(toServer(Bytes.command(9).u64(0x10).u32(7).u32(4))))
        .isEqualTo("-> #0001 REGION_READ offset 0x10 region config count 4 bytes");
    assertThat(text(toClient(Bytes.reply(9).u64(0x10).u32(7).u32(4).bytes(0x4f, 0x49, 0xc8, 0xd))))
        .isEqualTo(
            "<- #0001 REGION_READ reply offset 0x10 region config count 4 bytes data [4f 49 c8 0d]"
                + " after 0.0 \u00b5s");
    var write = Bytes.command(10).u64(0x1000).u32(0).u32(20);
    for (int i = 0; i < 20; i++) {
      write.bytes(i);
    }
    var decoded = toServer(write);
    assertThat(text(decoded))
        .endsWith(
            "region BAR0 count 20 bytes data [00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"
                + " \u2026] 20 bytes");
    assertThat(decoded.toText(true)).endsWith("0e 0f 10 11 12 13]");
    assertThat(text(toClient(Bytes.command(11).u64(0x1234).u64(16))))
        .isEqualTo("<- #0001 DMA_READ address 0x1234 count 16 bytes");
    assertThat(
            text(
                toServer(
                    Bytes.command(15)
                        .u64(2)
                        .u64(0x1000)
                        .u32(0)
                        .u32(4)
                        .u64(0x11223344)
                        .u64(0x1008)
                        .u32(0)
                        .u32(8)
                        .u64(-1))))
        .contains(
            "wr_cnt 2 wrs [{offset 0x1000 region BAR0 count 4 bytes data [44 33 22 11]} {offset"
                + " 0x1008 region BAR0 count 8 bytes data [ff ff ff ff ff ff ff ff]}]");
  }

  @Test
  void readsFeatures() {
    assertThat(text(toServer(Bytes.command(16).u32(8).u32(0x70001))))
        .contains("DEVICE_FEATURE argsz 8 bytes feature MIGRATION action GET|SET|PROBE");
    assertThat(text(answer(Bytes.reply(16).u32(16).u32(0x10001).u64(5))))
        .contains("feature MIGRATION action GET migration_flags STOP_COPY|PRE_COPY");
    assertThat(text(toServer(Bytes.command(16).u32(16).u32(0x20002).u32(3).u32(-1))))
        .contains("feature MIG_DEVICE_STATE action SET device_state STOP_COPY");
    assertThat(
            text(
                toServer(
                    Bytes.command(16)
                        .u32(40)
                        .u32(0x20006)
                        .u64(4096)
                        .u32(1)
                        .u32(0)
                        .u64(0)
                        .u64(8192))))
        .contains(
            "feature DMA_LOGGING_START action SET page_size 4 KiB num_ranges 1 ranges [{iova 0x0"
                + " length 8 KiB}]");
    assertThat(text(answer(Bytes.reply(16).u32(40).u32(0x10008).u64(0).u64(8192).u64(4096).u64(3))))
        .contains(
            "feature DMA_LOGGING_REPORT action GET iova 0x0 length 8 KiB page_size 4 KiB bitmap"
                + " [03 00 00 00 00 00 00 00]");
    assertThat(toServer(Bytes.command(16).u32(16).u32(0x30001)).problems())
        .containsExactly("gets and sets at once");
    assertThat(text(answer(Bytes.reply(17).u32(11).u32(3).bytes(7, 8, 9))))
        .contains("MIG_DATA_READ reply argsz 11 bytes size 3 bytes data [07 08 09]");
  }

  @Test
  void tellsFailedCommandsByTheNameOfTheirErrno() {
    var failed = answer(Bytes.header(1, 2, 0x21, 17));
    assertThat(text(failed)).startsWith("<- #0001 DMA_MAP reply EEXIST after");
    assertThat(failed.error().orElseThrow().text()).isEqualTo("File exists");
    assertThat(answer(Bytes.header(1, 2, 0x21, 17).u32(1)).problems())
        .containsExactly("an error with a payload of 4 bytes");
    assertThat(text(answer(Bytes.header(1, 2, 0x21, 9999)))).contains("errno 9999");
  }

  @Test
  void tellsWhatAHeaderMustNotHave() {
    assertThat(toServer(Bytes.header(1, 13, 0x20, 0)).problems())
        .containsExactly("a command with an error");
    assertThat(toServer(Bytes.header(1, 13, 0x102, 5)).problems())
        .containsExactly(
            "has flags that the protocol does not have",
            "a message of type 2",
            "has errno 5 and no error");
    assertThat(toServer(Bytes.command(14)).problems())
        .containsExactly("a command that the protocol does not have");
    assertThat(toServer(Bytes.command(11).u64(0).u64(1)).problems())
        .containsExactly("a command of the server by the other side");
    assertThat(toClient(Bytes.command(13)).problems())
        .containsExactly("a command of the client by the other side");
    assertThat(toServer(Bytes.command(13), EVENT).problems())
        .containsExactly("1 descriptors, and it has none");
    var longer = Bytes.command(13).message();
    ByteBuffer.wrap(longer).order(ByteOrder.nativeOrder()).putInt(4, 4096);
    assertThat(decoder.decode(MessageDirection.TO_SERVER, longer, List.of(), 0).problems())
        .containsExactly("tells of 4 KiB");
    assertThat(decoder.decode(MessageDirection.TO_SERVER, new byte[3], List.of(), 0).toText(false))
        .isEqualTo("-> #0000 bytes unknown bytes [00 00 00] !! 3 bytes, and a header has 16");
  }

  @Test
  void tellsWhereAPayloadEndsTooEarly() {
    assertThat(toServer(Bytes.command(9).u64(0).u16(7)).problems())
        .containsExactly("ends within region");
    assertThat(toServer(Bytes.command(4)).problems()).containsExactly("ends before argsz");
    assertThat(toServer(Bytes.command(10).u64(0).u32(0).u32(4).bytes(1)).problems())
        .containsExactly("has 1 byte of data where it tells of 4 bytes");
    assertThat(toServer(Bytes.command(9).u64(0).u32(0).u32(4).bytes(1)).problems())
        .containsExactly("1 byte more than it should have");
    assertThat(toServer(Bytes.command(15).u64(-1).u64(0)).problems())
        .containsExactly(
            "has room for 0 wrs where it tells of 18446744073709551615",
            "8 bytes more than it should have");
  }

  @Test
  void pairsRepliesWithCommandsByTheirSendersIds() {
    now = 1000;
    toServer(Bytes.header(7, 13, 0, 0));
    toClient(Bytes.header(7, 11, 0, 0).u64(0).u64(4));
    toServer(Bytes.header(8, 4, 0, 0).u32(16).u32(0).u32(0).u32(0));
    now = 5000;
    assertThat(toClient(Bytes.header(8, 4, 1, 0).u32(16).u32(2).u32(9).u32(5)).roundTripNanos())
        .hasValue(3998);
    assertThat(toClient(Bytes.header(7, 13, 1, 0)).roundTripNanos()).hasValue(4001);
    assertThat(toServer(Bytes.header(7, 11, 1, 0).u64(0).u64(4).u32(0)).roundTripNanos())
        .hasValue(4001);
    assertThat(toClient(Bytes.header(7, 13, 1, 0)).problems())
        .containsExactly("a reply to nothing");
  }

  @Test
  void takesAnIdThatIsInFlightTwiceInOrder() {
    toServer(Bytes.header(7, 13, 0, 0));
    toServer(Bytes.header(7, 13, 0, 0));
    toServer(Bytes.header(7, 13, 0x10, 0));
    assertThat(toClient(Bytes.header(7, 13, 1, 0)).roundTripNanos()).hasValue(3);
    assertThat(toClient(Bytes.header(7, 13, 1, 0)).roundTripNanos()).hasValue(3);
    assertThat(toClient(Bytes.header(7, 13, 1, 0)).problems())
        .as("a command that wants no reply is waited for by nobody")
        .containsExactly("a reply to nothing");
    toServer(Bytes.header(7, 13, 0, 0));
    assertThat(toClient(Bytes.header(7, 4, 1, 0).u32(16).u32(2).u32(9).u32(5)).problems())
        .containsExactly("a reply to DEVICE_RESET");
  }

  @Test
  void readsMessagesOfTheOtherByteOrder() {
    var message = ByteBuffer.allocate(32).order(ByteOrder.BIG_ENDIAN);
    message.putShort((short) 3).putShort((short) 9).putInt(32).putInt(0).putInt(0);
    message.putLong(0x40).putInt(7).putInt(4);
    assertThat(
            text(
                new MessageDecoder(ByteOrder.BIG_ENDIAN)
                    .decode(MessageDirection.TO_SERVER, message.array(), List.of(), 0)))
        .isEqualTo("-> #0003 REGION_READ offset 0x40 region config count 4 bytes");
  }

  @Test
  void tellsDescriptorsByWhatTheKernelCallsThem() {
    var kernel = LinuxKernel.instance();
    int event = kernel.eventFd(0, 0);
    int memory = kernel.memoryFile("guest ram", 0, 8192);
    try {
      assertThat(MessageDescriptor.ofOpen(event).kind()).isEqualTo(MessageDescriptor.Kind.EVENTFD);
      assertThat(MessageDescriptor.ofOpen(memory))
          .isEqualTo(
              new MessageDescriptor(
                  MessageDescriptor.Kind.MEMORY, "guest ram", OptionalLong.of(8192)));
    } finally {
      kernel.close(event);
      kernel.close(memory);
    }
    assertThat(MessageDescriptor.ofOpen(1 << 20).kind()).isEqualTo(MessageDescriptor.Kind.OTHER);
  }

  @Test
  void writesOneWellFormedObjectForEachMessage() throws Exception {
    var message =
        toServer(
            Bytes.command(10).u64(-1).u32(0).u32(2).bytes(0xca, 0xfe),
            new MessageDescriptor(
                MessageDescriptor.Kind.FILE, "/tmp/\u0007\"x\"", OptionalLong.of(3)));
    assertThat(message.toJson())
        .isEqualTo(
            "{\"direction\":\"toServer\",\"type\":\"command\",\"id\":1,\"command\":\"REGION_WRITE\","
                + "\"commandNumber\":10,\"byteSize\":34,\"flags\":[],\"fields\":{\"offset\":"
                + "\"0xffffffffffffffff\",\"region\":{\"number\":0,\"name\":\"BAR0\"},\"count\":2,"
                + "\"data\":\"cafe\"},\"descriptors\":[{\"kind\":\"file\",\"name\":"
                + "\"/tmp/\\u0007\\\"x\\\"\",\"byteSize\":3}],\"problems\":[\"1 descriptors, and it has"
                + " none\"]}");
    assertWellFormed(message.toJson());
  }

  private static void assertWellFormed(String json) throws Exception {
    try (var parser = new JsonFactory().createParser(json)) {
      parser.nextToken();
      parser.skipChildren();
      assertThat(parser.nextToken()).isNull();
    }
  }

  @Test
  void failsOnNoInput() throws Exception {
    var random = new Random(20_261_125);
    var valid = new ArrayList<byte[]>();
    for (int command = 0; command < 20; command++) {
      var message = Bytes.header(1, command, random.nextInt(2), 0);
      for (int i = 0; i < random.nextInt(30); i++) {
        message.u32((long) random.nextInt(5) * random.nextInt(20));
      }
      valid.add(message.message());
    }
    for (int round = 0; round < 100_000; round++) {
      byte[] message;
      if (random.nextInt(4) == 0) {
        message = new byte[random.nextInt(120)];
        random.nextBytes(message);
      } else {
        message = valid.get(random.nextInt(valid.size())).clone();
        for (int i = random.nextInt(8); i > 0 && message.length > 0; i--) {
          message[random.nextInt(message.length)] =
              (byte) (random.nextBoolean() ? random.nextInt() : random.nextInt(4));
        }
        if (random.nextInt(3) == 0) {
          message = java.util.Arrays.copyOf(message, random.nextInt(message.length + 40));
        }
      }
      var direction =
          random.nextBoolean() ? MessageDirection.TO_SERVER : MessageDirection.TO_CLIENT;
      var decoded =
          decoder.decode(
              direction, message, random.nextBoolean() ? List.of() : List.of(EVENT), round);
      assertThat(decoded.toText(true)).doesNotContain("\n");
      if (round % 16 == 0) {
        assertWellFormed(decoded.toJson());
      }
    }
  }

  @Test
  void keepsItsMemoryBoundedWhateverIsPromised() {
    // Millions of entries: only the first are kept, and how many more there are.
    var many = Bytes.command(15).u64(400_000);
    var entries = new byte[400_000 * 24];
    var message = java.util.Arrays.copyOf(many.message(), 24 + entries.length);
    ByteBuffer.wrap(message).order(ByteOrder.nativeOrder()).putInt(4, message.length);
    var decoded = decoder.decode(MessageDirection.TO_SERVER, message, List.of(), 0);
    assertThat(decoded.problems()).isEmpty();
    assertThat(decoded.toText(false)).endsWith("\u2026 399,992 more]");
    for (int i = 0; i < 200_000; i++) {
      toServer(Bytes.header(i, 13, 0, 0));
    }
    assertThat(toClient(Bytes.header(199_999 & 0xffff, 13, 1, 0)).problems()).isEmpty();
  }
}
