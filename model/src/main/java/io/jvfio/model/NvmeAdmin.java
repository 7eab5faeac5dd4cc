package io.jvfio.model;

/** The admin commands. Source: NVM Express Base Specification, "Admin Command Set". */
final class NvmeAdmin {
  private static final int DELETE_SUBMISSION_QUEUE = 0x00;
  private static final int CREATE_SUBMISSION_QUEUE = 0x01;
  private static final int GET_LOG_PAGE = 0x02;
  private static final int DELETE_COMPLETION_QUEUE = 0x04;
  private static final int CREATE_COMPLETION_QUEUE = 0x05;
  private static final int IDENTIFY = 0x06;
  private static final int ABORT = 0x08;
  private static final int SET_FEATURES = 0x09;
  private static final int GET_FEATURES = 0x0a;
  private static final int ASYNC_EVENT_REQUEST = 0x0c;

  private static final int CONTIGUOUS = 1;
  private static final int INTERRUPTS_ENABLED = 1 << 1;
  private static final int RETAIN_EVENT = 1 << 15;

  /** Dword 0 of Abort: the command was not aborted. */
  private static final int NOT_ABORTED = 1;

  private final NvmeRegisters registers;
  private final NvmeQueues queues;
  private final NvmePrp prp;
  private final NvmeIdentifyPages identifyPages;
  private final NvmeLogPages logPages;
  private final NvmeFeatures features;
  private final NvmeAsyncEvents events;
  private final int vectors;

  NvmeAdmin(
      NvmeRegisters registers,
      NvmeQueues queues,
      NvmePrp prp,
      NvmeIdentifyPages identifyPages,
      NvmeLogPages logPages,
      NvmeFeatures features,
      NvmeAsyncEvents events,
      int vectors) {
    this.registers = registers;
    this.queues = queues;
    this.prp = prp;
    this.identifyPages = identifyPages;
    this.logPages = logPages;
    this.features = features;
    this.events = events;
    this.vectors = vectors;
  }

  int execute(NvmeCommand command) throws DmaFaultException {
    return switch (command.opcode()) {
      case CREATE_COMPLETION_QUEUE -> createCompletionQueue(command);
      case CREATE_SUBMISSION_QUEUE -> createSubmissionQueue(command);
      case DELETE_SUBMISSION_QUEUE -> deleteSubmissionQueue(queueId(command));
      case DELETE_COMPLETION_QUEUE -> deleteCompletionQueue(queueId(command));
      case IDENTIFY -> identifyPages.identify(command, prp, registers.pageSize());
      case GET_LOG_PAGE -> getLogPage(command);
      case GET_FEATURES -> features.get(command);
      case SET_FEATURES -> features.set(command, queues.hasIoQueues());
      case ABORT -> abort(command);
      case ASYNC_EVENT_REQUEST ->
          events.hold(command.id())
              ? NvmeStatus.NO_COMPLETION
              : NvmeStatus.ASYNC_EVENT_LIMIT_EXCEEDED;
      default -> NvmeStatus.INVALID_OPCODE;
    };
  }

  private static int queueId(NvmeCommand command) {
    return command.cdw10() & 0xffff;
  }

  private static int queueEntries(NvmeCommand command) {
    return (command.cdw10() >>> 16) + 1;
  }

  private static boolean isIoQueueId(int id) {
    return id >= 1 && id <= NvmeQueues.MAX_IO_QUEUE_PAIRS;
  }

  private int createCompletionQueue(NvmeCommand command) {
    int id = queueId(command);
    if (!isIoQueueId(id) || queues.hasCompletionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    int status = checkQueueMemory(command);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    int vector = command.cdw11() >>> 16;
    if (vector >= vectors) {
      return NvmeStatus.INVALID_INTERRUPT_VECTOR;
    }
    boolean interrupts = (command.cdw11() & INTERRUPTS_ENABLED) != 0;
    queues.createCompletionQueue(
        id, command.prp1(), queueEntries(command), interrupts ? vector : NvmeQueues.NO_VECTOR);
    return NvmeStatus.SUCCESS;
  }

  private int createSubmissionQueue(NvmeCommand command) {
    int id = queueId(command);
    int completionQueueId = command.cdw11() >>> 16;
    if (!isIoQueueId(completionQueueId) || !queues.hasCompletionQueue(completionQueueId)) {
      return NvmeStatus.INVALID_COMPLETION_QUEUE;
    }
    if (!isIoQueueId(id) || queues.hasSubmissionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    int status = checkQueueMemory(command);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    queues.createSubmissionQueue(id, command.prp1(), queueEntries(command), completionQueueId);
    return NvmeStatus.SUCCESS;
  }

  private int checkQueueMemory(NvmeCommand command) {
    int entries = queueEntries(command);
    if (entries < 2 || entries > NvmeRegisters.MAX_QUEUE_ENTRIES) {
      return NvmeStatus.INVALID_QUEUE_SIZE;
    }
    if (command.prp1() == 0 || (command.prp1() & (registers.pageSize() - 1)) != 0) {
      return NvmeStatus.INVALID_PRP_OFFSET;
    }
    // CAP.CQR: queues in pieces are not supported.
    if ((command.cdw11() & CONTIGUOUS) == 0 || !registers.hasEntrySizes()) {
      return NvmeStatus.INVALID_FIELD;
    }
    return NvmeStatus.SUCCESS;
  }

  private int deleteSubmissionQueue(int id) {
    if (!isIoQueueId(id) || !queues.hasSubmissionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    queues.deleteSubmissionQueue(id);
    return NvmeStatus.SUCCESS;
  }

  private int deleteCompletionQueue(int id) {
    if (!isIoQueueId(id) || !queues.hasCompletionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    if (queues.isInUse(id)) {
      return NvmeStatus.INVALID_QUEUE_DELETION;
    }
    queues.deleteCompletionQueue(id);
    return NvmeStatus.SUCCESS;
  }

  private int getLogPage(NvmeCommand command) throws DmaFaultException {
    int status = logPages.get(command, prp, registers.pageSize());
    boolean isErrorLog = (command.cdw10() & 0xff) == NvmeLogPages.ERROR_INFORMATION;
    if (status == NvmeStatus.SUCCESS && isErrorLog && (command.cdw10() & RETAIN_EVENT) == 0) {
      events.unmask(NvmeAsyncEvents.TYPE_ERROR);
    }
    return status;
  }

  /** Commands complete as they are fetched, so only held event requests can be aborted. */
  private int abort(NvmeCommand command) {
    boolean isAborted = queueId(command) == 0 && events.abort(command.cdw10() >>> 16);
    command.result(isAborted ? 0 : NOT_ABORTED);
    return NvmeStatus.SUCCESS;
  }
}
